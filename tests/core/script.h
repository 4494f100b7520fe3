/*
 * Transcripts: events in, effects out, virtual time in the margin. A file is read, run against a fresh core, and written again with what
 * the core really did; the test compares the two texts. ORDERLY_TRANSCRIPTS=update writes the files (read the difference!).
 *
 *     set retry.in lane                  settings, before the first event
 *     face poll | run workers=2 batch=8 batch_wait=5
 *     callbacks assigned revoked lost position
 *     show fetch                         credits are hidden unless asked for
 *
 *     100  fetched 1 5..9                an event at 100 ms; a record is named STAY@OFFSET
 *          run 1@5                       what it led to
 *     500  until                         goes on to 500 ms, from one deadline of the core to the next
 *     @350 run 1@5                       what happened meanwhile, and when
 */
#ifndef OD_TESTS_CORE_SCRIPT_H
#define OD_TESTS_CORE_SCRIPT_H

/* Runs the transcript in `text`; returns what it should have been (malloc'ed). */
char *script_run(const char *name, const char *text);

#endif
