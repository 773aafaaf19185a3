/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * StreamRelay: a thread that passes what comes out of one pipe on to another one, which a client reads; as it is, or
 * as text, for which the thread runs a program that decodes it.
 *
 * It keeps a client from the pipe that the pump writes to, see stream.h. It shares nothing: it gets its descriptors,
 * closes them at its end, and answers to nobody.
 */

/* Starts it; it ends when `in` has ended and all was passed on, when nobody reads `out` any more, or when the other
 * end of `life` is closed. `in`: the end of a pipe to read from; `out`: that of another to write to, not blocking;
 * `life`: one end of a socket pair, whose other end sees by a hang-up that the thread has ended. All are taken over
 * on success.
 * `program`: a path, which gets the two as standard input and output, and is killed when `life` ends first; NULL:
 * none. */
int stream_relay_start(int in, int out, int life, const char *program);
