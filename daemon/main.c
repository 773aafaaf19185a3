/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ktraced: the process. Reads the command line, makes event loop, bus and model, and ends them in order.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "bus/bus-introspect.h"
#include "bus/bus.h"
#include "bus/log.h"
#include "bus/notify.h"
#include "config.h"
#include "core/parse.h"
#include "core/strv.h"
#include "ktraced/protocol.h"
#include "model/snapshot.h"

typedef struct Options {
        bool help, version, introspect;
        const char *introspect_path; /* NULL: all */
        const char *store;
        const char *state;
        const char *runtime;
        char **settings;
        char **profiles;
        const char *log_level; /* NULL: the default */
} Options;

typedef struct Daemon {
        Log log;
        bool embedded;
        sd_event *event;
        Bus *bus;
        Manager *manager;
        bool stopping;
        int result; /* 0 or -errno: what the process ends with */
} Daemon;

static void options_clear(Options *options) {
        strv_free(options->settings);
        strv_free(options->profiles);
}

static void print_help(void) {
        (void) printf("ktraced [OPTIONS...]\n\n"
                      "Traces the kernel for its clients on D-Bus.\n\n"
                      "  -h --help                    Show this help\n"
                      "     --version                 Show the version\n"
                      "     --bus-introspect[=PATH]   Print D-Bus introspection data; 'list' prints the paths\n"
                      "     --store=DIRECTORY         Keep captures there\n"
                      "     --state=DIRECTORY         Keep there what a reboot must not have it forget\n"
                      "     --runtime=DIRECTORY       Keep there what a restart must know of the kernel\n"
                      "     --settings=PATH           Read settings from this file or directory; repeatable\n"
                      "     --profiles=DIRECTORY      Read profiles from there; repeatable, the first counts\n"
                      "     --log-level=LEVEL         emerg ... debug, or 0 to 7\n\n"
                      "See ktraced(8).\n");
}

enum {
        OPTION_VERSION = 256,
        OPTION_BUS_INTROSPECT,
        OPTION_STORE,
        OPTION_STATE,
        OPTION_RUNTIME,
        OPTION_SETTINGS,
        OPTION_PROFILES,
        OPTION_LOG_LEVEL,
};

static int options_apply(Options *options, int option, const char *value) {
        switch (option) {
        case 'h':
                options->help = true;
                return 0;
        case OPTION_VERSION:
                options->version = true;
                return 0;
        case OPTION_BUS_INTROSPECT:
                options->introspect = true;
                options->introspect_path = value;
                return 0;
        case OPTION_STORE:
                options->store = value;
                return 0;
        case OPTION_STATE:
                options->state = value;
                return 0;
        case OPTION_RUNTIME:
                options->runtime = value;
                return 0;
        case OPTION_SETTINGS:
                return strv_append(&options->settings, value);
        case OPTION_PROFILES:
                return strv_append(&options->profiles, value);
        case OPTION_LOG_LEVEL:
                options->log_level = value;
                return 0;
        default: /* getopt_long() has said what is wrong */
                return -EINVAL;
        }
}

static int options_parse(Options *options, int argc, char **argv) {
        static const struct option long_options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "bus-introspect", optional_argument, NULL, OPTION_BUS_INTROSPECT },
                { "store", required_argument, NULL, OPTION_STORE },
                { "state", required_argument, NULL, OPTION_STATE },
                { "runtime", required_argument, NULL, OPTION_RUNTIME },
                { "settings", required_argument, NULL, OPTION_SETTINGS },
                { "profiles", required_argument, NULL, OPTION_PROFILES },
                { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
                { NULL },
        };
        int option, r;

        while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
                r = options_apply(options, option, optarg);
                if (r < 0)
                        return r;
        }

        /* "--bus-introspect PATH", as well as with '='. */
        if (options->introspect && !options->introspect_path && optind < argc)
                options->introspect_path = argv[optind++];

        if (optind < argc) {
                (void) fprintf(stderr, "ktraced: unexpected argument '%s'\n", argv[optind]);
                return -EINVAL;
        }

        return 0;
}

/* Run from a build directory: its profiles, beside the directory of the program. */
static int options_add_built_profiles(Options *options) {
        CLEANUP_FREE char *directory = NULL;
        char program[PATH_MAX];
        ssize_t n;

        n = readlink("/proc/self/exe", program, sizeof(program) - 1);
        if (n < 0)
                return 0; /* without /proc: as if installed */
        program[n] = 0;
        if (strcmp(program, KTRACED_DAEMON_PATH) == 0)
                return 0;

        if (asprintf(&directory, "%.*s/../profiles", (int) (strrchr(program, '/') - program), program) < 0) {
                directory = NULL;
                return -ENOMEM;
        }
        return strv_append(&options->profiles, directory);
}

static int options_set_defaults(Options *options) {
        int r = 0;

        if (!options->store)
                options->store = KTRACED_STATE_DIR "/captures";

        if (!options->state)
                options->state = KTRACED_STATE_DIR;

        if (!options->runtime)
                options->runtime = KTRACED_RUNTIME_DIR;

        if (!options->settings) {
                r = strv_append(&options->settings, KTRACED_SYSCONF_DIR "/ktraced.json");
                if (r >= 0)
                        r = strv_append(&options->settings, KTRACED_SYSCONF_DIR "/ktraced.json.d");
        }

        if (r >= 0 && !options->profiles) {
                r = strv_append(&options->profiles, KTRACED_SYSCONF_DIR "/profiles");
                if (r >= 0)
                        r = strv_append(&options->profiles, KTRACED_RUNTIME_DIR "/profiles");
                if (r >= 0)
                        r = options_add_built_profiles(options);
                if (r >= 0)
                        r = strv_append(&options->profiles, KTRACED_PROFILE_DIR);
        }

        return r;
}

static void daemon_clear(Daemon *daemon) {
        manager_free(daemon->manager);
        bus_free(daemon->bus);
        sd_event_unref(daemon->event);
}

static void daemon_on_shut_down(int r, const Error *error, void *result, void *userdata) {
        Daemon *daemon = userdata;

        if (r < 0) {
                log_write(&daemon->log, LOG_ERR, NULL, "Failed to shut down cleanly: %s", error_text(error));
                if (daemon->result >= 0)
                        daemon->result = r;
                /* Freeing would wait for a pump that waits for its disk. */
                if (r == -ETIMEDOUT)
                        _exit(EXIT_FAILURE);
        }

        (void) sd_event_exit(daemon->event, daemon->result);
}

/* The first reason counts. */
static void daemon_stop(Daemon *daemon, int result) {
        if (daemon->stopping)
                return;

        daemon->stopping = true;
        daemon->result = result;
        notify_stopping();
        manager_shutdown(daemon->manager, daemon_on_shut_down, daemon);
}

static void daemon_on_ended(int r, const char *reason, void *userdata) {
        Daemon *daemon = userdata;

        if (r < 0)
                log_write(&daemon->log, LOG_ERR, NULL, "%s", reason);
        daemon_stop(daemon, r);
}

static void daemon_on_serving(void *userdata) {
        Daemon *daemon = userdata;

        log_write(&daemon->log, LOG_DEBUG, NULL, "Serving, version " KTRACED_VERSION);
        notify_ready(daemon->manager);
}

static void daemon_on_loaded(int r, const Error *error, void *result, void *userdata) {
        CLEANUP(error_clear) Error serve_error = ERROR_INIT;
        Daemon *daemon = userdata;

        if (daemon->stopping)
                return;

        if (r >= 0) {
                r = bus_serve(daemon->bus, daemon->manager, &serve_error);
                error = &serve_error;
        }
        if (r < 0) {
                log_write(&daemon->log, LOG_ERR, NULL, "Failed to start: %s", error_text(error));
                daemon_stop(daemon, r);
        }
}

static int daemon_on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        daemon_stop(userdata, 0);
        return 0;
}

static int daemon_on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        const Daemon *daemon = userdata;

        bus_reload(daemon->bus);
        return 0;
}

static int daemon_on_snapshot(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        const Daemon *daemon = userdata;

        manager_snapshot_all(daemon->manager, "SIGUSR2");
        return 0;
}

/* An embedded daemon leaves the keyboard's signals to its client, which stops sessions and then hangs up. */
static int daemon_handle_signals(Daemon *daemon) {
        sigset_t signals;
        int r;

        (void) signal(SIGPIPE, SIG_IGN);
        if (daemon->embedded) {
                (void) signal(SIGINT, SIG_IGN);
                (void) signal(SIGQUIT, SIG_IGN);
                (void) signal(SIGHUP, SIG_IGN);
        }

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        if (!daemon->embedded) {
                (void) sigaddset(&signals, SIGINT);
                (void) sigaddset(&signals, SIGHUP);
                (void) sigaddset(&signals, SIGUSR2);
        }
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;

        r = sd_event_add_signal(daemon->event, NULL, SIGTERM, daemon_on_terminate, daemon);
        if (r < 0 || daemon->embedded)
                return r;

        r = sd_event_add_signal(daemon->event, NULL, SIGINT, daemon_on_terminate, daemon);
        if (r < 0)
                return r;

        r = sd_event_add_signal(daemon->event, NULL, SIGUSR2, daemon_on_snapshot, daemon);
        if (r < 0)
                return r;

        return sd_event_add_signal(daemon->event, NULL, SIGHUP, daemon_on_hangup, daemon);
}

static int daemon_init_event(Daemon *daemon, Error *error) {
        int r;

        r = sd_event_default(&daemon->event);
        if (r < 0)
                return error_set_errno(error, r, "Failed to make the event loop");

        r = daemon_handle_signals(daemon);
        if (r < 0)
                return error_set_errno(error, r, "Failed to handle signals");

        r = sd_event_set_watchdog(daemon->event, true);
        return r < 0 ? error_set_errno(error, r, "Failed to serve the watchdog") : 0;
}

static int daemon_init(Daemon *daemon, const Options *options, int embedded_fd, Error *error) {
        CLEANUP_CLOSE int fd = embedded_fd;
        int r;

        r = daemon_init_event(daemon, error);
        if (r < 0)
                return r;

        const BusConfig bus = {
                .event = daemon->event,
                .log = &daemon->log,
                .embedded_fd = steal_fd(&fd),
                .serving = daemon_on_serving,
                .ended = daemon_on_ended,
                .userdata = daemon,
        };
        r = bus_new(&bus, error, &daemon->bus);
        if (r < 0)
                return r;

        const ManagerConfig manager = {
                .event = daemon->event,
                .store_path = options->store,
                .state_path = daemon->embedded ? NULL : options->state,
                .runtime_path = options->runtime,
                .saves_previous_boot = !daemon->embedded,
                .settings_files = options->settings,
                .profile_directories = options->profiles,
                .observer = &bus_observer,
                .observer_userdata = daemon->bus,
        };
        return manager_new(&manager, error, &daemon->manager);
}

static int daemon_run(const Options *options, int embedded_fd, const Log *log) {
        CLEANUP(daemon_clear) Daemon daemon = { .log = *log, .embedded = embedded_fd >= 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        r = daemon_init(&daemon, options, embedded_fd, &error);
        if (r < 0) {
                log_write(log, LOG_ERR, NULL, "%s", error_text(&error));
                return r;
        }

        manager_load(daemon.manager, daemon_on_loaded, &daemon);
        return sd_event_loop(daemon.event);
}

/* -1: not embedded. */
static int read_embedded_fd(int *ret) {
        const char *text = getenv(KTRACED_EMBEDDED_FD_ENV);
        uint64_t fd;

        if (!text) {
                *ret = -1;
                return 0;
        }

        if (parse_unsigned(text, &fd) < 0 || fd > INT_MAX)
                return -EINVAL;

        /* What the service manager of the client expects, the client tells it. */
        (void) unsetenv(KTRACED_EMBEDDED_FD_ENV);
        (void) unsetenv("NOTIFY_SOCKET");
        (void) unsetenv("WATCHDOG_USEC");

        *ret = (int) fd;
        return 0;
}

static int run(Options *options) {
        int embedded_fd, r;
        Log log;

        log_init(&log);

        if (geteuid() != 0) {
                log_write(&log, LOG_ERR, NULL,
                          "Must be run as root: only root may use the kernel's tracing directory");
                return -EPERM;
        }

        r = read_embedded_fd(&embedded_fd);
        if (r < 0) {
                log_write(&log, LOG_ERR, NULL, KTRACED_EMBEDDED_FD_ENV " is not the number of a descriptor");
                return r;
        }
        if (embedded_fd >= 0)
                log.max_level = LOG_WARNING;

        if (options->log_level) {
                r = log_level_from_string(options->log_level, &log.max_level);
                if (r < 0) {
                        log_write(&log, LOG_ERR, NULL, "No such log level: %s", options->log_level);
                        return r;
                }
        }

        r = options_set_defaults(options);
        if (r < 0)
                return r;

        return daemon_run(options, embedded_fd, &log);
}

int main(int argc, char **argv) {
        CLEANUP(options_clear) Options options = { .help = false };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (options_parse(&options, argc, argv) < 0)
                return EXIT_FAILURE;

        if (options.help) {
                print_help();
                return EXIT_SUCCESS;
        }

        if (options.version) {
                (void) printf("ktraced " KTRACED_VERSION "\n");
                return EXIT_SUCCESS;
        }

        if (options.introspect) {
                if (bus_introspect(options.introspect_path, stdout, &error) < 0) {
                        (void) fprintf(stderr, "ktraced: %s\n", error_text(&error));
                        return EXIT_FAILURE;
                }
                return EXIT_SUCCESS;
        }

        return run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
