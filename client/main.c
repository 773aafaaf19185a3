/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <locale.h>

#include "client/verb.h"
#include "ktraced/cleanup.h"

static const Verb verbs[] = {
        { "status", verb_status },   { "session", verb_session }, { "mark", verb_mark },
        { "hist", verb_hist },       { "record", verb_record },   { "report", verb_report },
        { "capture", verb_capture }, { "list", verb_list },       { "probe", verb_probe },
        { "reload", verb_reload },   { "show", verb_show },       { "monitor", verb_monitor },
};

int main(int argc, char *argv[]) {
        Globals globals;

        (void) setlocale(LC_ALL, "");
        globals_init(&globals);
        return verb_dispatch(verbs, ELEMENTSOF(verbs), "verb", &globals, argc, argv);
}
