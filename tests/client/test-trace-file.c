/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files are put together here byte by byte, after trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "client/trace-file.h"

typedef struct Image {
        uint8_t bytes[16384];
        size_t n;
        bool big_endian;
} Image;

static void put(Image *image, const void *bytes, size_t n) {
        assert_true(n <= sizeof(image->bytes) - image->n);
        memcpy(image->bytes + image->n, bytes, n);
        image->n += n;
}

static void set_number(Image *image, size_t at, uint64_t value, size_t n) {
        for (size_t i = 0; i < n; i++)
                image->bytes[at + (image->big_endian ? n - 1 - i : i)] = (uint8_t) (value >> 8 * i);
}

static void put_number(Image *image, uint64_t value, size_t n) {
        put(image, (const uint8_t[8]){}, n);
        set_number(image, image->n - n, value, n);
}

static void put_text(Image *image, const char *text) {
        put(image, text, strlen(text) + 1);
}

static void put_head(Image *image, const char *version) {
        put(image, "\x17\x08\x44tracing", 10);
        put_text(image, version);
        put_number(image, image->big_endian, 1);
        put_number(image, 8, 1);
        put_number(image, 4096, 4);
}

static void put_section(Image *image, unsigned id, uint64_t size) {
        put_number(image, id, 2);
        put_number(image, 0, 2);
        put_number(image, 0, 4);
        put_number(image, size, 8);
}

/* Where things are that tests change. */
typedef struct Places {
        size_t options, buffer_cpu, last;
} Places;

/* Version 7: one event format section, a buffer with two CPUs, the second one's number is 5. */
static Places make_v7(Image *image, const char *clock) {
        Places places = { 0 };
        size_t first, header, buffer;
        char text[64];

        put_head(image, "7");
        put_text(image, "none");
        put_text(image, "");
        first = image->n;
        put_number(image, 0, 8);
        header = image->n;
        put_section(image, 16, 4);
        put_number(image, 0, 4);
        buffer = image->n;
        put_section(image, 3, 0);
        places.options = image->n;
        set_number(image, first, image->n, 8);
        put_section(image, 0, 0);
        put_number(image, 16, 2);
        put_number(image, 8, 4);
        put_number(image, header, 8);
        (void) snprintf(text, sizeof(text), "global [%s] counter", clock);
        put_number(image, 4, 2);
        put_number(image, strlen(text) + 1, 4);
        put_text(image, text);
        put_number(image, 3, 2);
        put_number(image, 8 + 1 + 6 + 4 + 4 + 2 * 20, 4);
        put_number(image, buffer, 8);
        put_text(image, "");
        put_text(image, "local");
        put_number(image, 4096, 4);
        put_number(image, 2, 4);
        for (size_t i = 0; i < 2; i++) {
                if (i == 1)
                        places.buffer_cpu = image->n;
                put_number(image, i * 5, 4);
                put_number(image, 8192 + 4096 * i, 8);
                put_number(image, 4096, 8);
        }
        put_number(image, 0, 2);
        put_number(image, 8, 4);
        places.last = image->n;
        put_number(image, 0, 8);
        image->n = sizeof(image->bytes);
        return places;
}

static int scan(const Image *image, size_t n, Error *error, TraceFile *ret) {
        CLEANUP_CLOSE int fd = memfd_create("trace.dat", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, image->bytes, n), n);
        return trace_file_scan(fd, error, ret);
}

static void check_refused(const Image *image, size_t n, const char *what) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        TraceFile file = { .version = 77 };

        assert_true(scan(image, n, &error, &file) < 0);
        assert_int_equal(file.version, 77);
        if (!strstr(error_text(&error), what))
                fail_msg("\"%s\" is not in \"%s\"", what, error_text(&error));
}

static void test_v7(void **state) {
        for (int big_endian = 0; big_endian < 2; big_endian++) {
                CLEANUP(trace_file_clear) TraceFile file = {};
                Image image = { .big_endian = big_endian };

                make_v7(&image, "mono");
                assert_int_equal(scan(&image, image.n, NULL, &file), 0);
                assert_int_equal(file.version, 7);
                assert_int_equal(file.n_cpus, 6);
                assert_int_equal(file.data_bytes, 8192);
                assert_string_equal(file.clock, "mono");
                assert_true(trace_file_has_time(&file));
        }
}

static void test_clock(void **state) {
        CLEANUP(trace_file_clear) TraceFile file = {};
        Image image = {};

        make_v7(&image, "counter");
        assert_int_equal(scan(&image, image.n, NULL, &file), 0);
        assert_false(trace_file_has_time(&file));
        file.tsc_scaled = true;
        assert_true(trace_file_has_time(&file));
}

static void test_v7_truncated(void **state) {
        Image image = {};
        Places places = make_v7(&image, "local");

        check_refused(&image, 0, "not a trace.dat file");
        check_refused(&image, 9, "not a trace.dat file");
        for (size_t n = 10; n < places.last + 8; n++)
                check_refused(&image, n, "truncated: ");
        check_refused(&image, image.n - 1, "recorded data at byte 12288");
}

static void test_v7_damaged(void **state) {
        Image good = {}, image;
        Places places = make_v7(&good, "local");

        image = good;
        set_number(&image, places.last, places.options, 8);
        check_refused(&image, image.n, "form a loop");
        image = good;
        set_number(&image, places.buffer_cpu, 8192, 4);
        check_refused(&image, image.n, "too many CPUs");
        image = good;
        set_number(&image, places.buffer_cpu + 12, UINT64_MAX - 100, 8);
        check_refused(&image, image.n, "truncated: the recorded data");
        image = good;
        set_number(&image, places.options, 16, 2);
        check_refused(&image, image.n, "no list of options");
        image = good;
        set_number(&image, places.options + 16 + 2, UINT32_MAX, 4);
        check_refused(&image, image.n, "an option is too long");
        image = good;
        image.bytes[10] = '8';
        check_refused(&image, image.n, "version");
        image = good;
        image.bytes[13] = 3;
        check_refused(&image, image.n, "word size");
}

static void put_text_v6(Image *image, const char *text, size_t length_size) {
        put_number(image, strlen(text), length_size);
        put(image, text, strlen(text));
}

/* Version 6; returns where the table of CPUs begins. */
static size_t make_v6(Image *image, const char *kind) {
        size_t table;

        put_head(image, "6");
        put_text(image, "header_page");
        put_text_v6(image, "page", 8);
        put_text(image, "header_event");
        put_text_v6(image, "event", 8);
        put_number(image, 1, 4);
        put_text_v6(image, "format", 8);
        put_number(image, 1, 4);
        put_text(image, "sched");
        put_number(image, 2, 4);
        put_text_v6(image, "format", 8);
        put_text_v6(image, "format", 8);
        put_text_v6(image, "kallsyms", 4);
        put_text_v6(image, "printk", 4);
        put_text_v6(image, "cmdlines", 8);
        put_number(image, 2, 4);
        put(image, "options  ", 10);
        put_number(image, 4, 2);
        put_number(image, 0, 4);
        put_number(image, 0, 2);
        put(image, kind, 10);
        table = image->n;
        for (size_t i = 0; i < 2; i++) {
                put_number(image, 8192 + 4096 * i, 8);
                put_number(image, 4096, 8);
        }
        put_text_v6(image, "local [counter]", 8);
        image->n = sizeof(image->bytes);
        return table;
}

static void test_v6(void **state) {
        for (int big_endian = 0; big_endian < 2; big_endian++) {
                CLEANUP(trace_file_clear) TraceFile file = {};
                Image image = { .big_endian = big_endian };

                make_v6(&image, "flyrecord");
                assert_int_equal(scan(&image, image.n, NULL, &file), 0);
                assert_int_equal(file.version, 6);
                assert_int_equal(file.n_cpus, 2);
                assert_int_equal(file.data_bytes, 8192);
                assert_string_equal(file.clock, "counter");
        }
}

static void test_v6_bad(void **state) {
        Image image = {};
        size_t table = make_v6(&image, "flyrecord");

        for (size_t n = 10; n < table + 32; n++)
                check_refused(&image, n, "truncated: ");
        check_refused(&image, image.n - 1, "recorded data");
        image = (Image){};
        make_v6(&image, "latency  ");
        check_refused(&image, image.n, "latency tracer");
        image = (Image){};
        make_v6(&image, "something");
        check_refused(&image, image.n, "no recorded data");
        image = (Image){};
        table = make_v6(&image, "flyrecord");
        set_number(&image, table - 10 - 8 - 10 - 4, 0, 4);
        set_number(&image, table, 5, 8); /* read as the length of the clock's name then */
        check_refused(&image, image.n, "no CPUs");
}

static void test_not_regular(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_CLOSE int fd = -1, other = -1;
        TraceFile file;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        fd = fds[0];
        other = fds[1];
        assert_true(trace_file_scan(fd, &error, &file) < 0);
        assert_string_equal(error_text(&error), "not a regular file");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_v7),          cmocka_unit_test(test_clock), cmocka_unit_test(test_v7_truncated),
                cmocka_unit_test(test_v7_damaged),  cmocka_unit_test(test_v6),    cmocka_unit_test(test_v6_bad),
                cmocka_unit_test(test_not_regular),
        };

        return cmocka_run_group_tests_name("trace-file", tests, NULL, NULL);
}
