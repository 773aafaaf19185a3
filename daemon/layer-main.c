/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Links one layer whole against the lower ones only: see meson.build. */
int main(void) {
        return 0;
}
