typedef int bus_is_empty;
