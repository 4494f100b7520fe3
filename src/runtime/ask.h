/*
 * Asking the loop: runs a function on the loop's thread and waits for it. While there is no loop (before the first poll or run, and after
 * the end) it runs here, under a mutex that keeps a loop from starting meanwhile: every state has one owner at any time.
 */
#ifndef OD_RUNTIME_ASK_H
#define OD_RUNTIME_ASK_H

#include <stdbool.h>

#include "orderly/orderly.h"

struct od_loop;

typedef enum orderly_err od_ask_function(struct od_loop *, void *argument);

struct od_ask {
    od_ask_function *function;
    void *argument;
    enum orderly_err result;
    bool done; /* guarded by the object's mutex */
};

/* Thread: any but the loop. The function's result, NOMEM, or STATE inside callbacks.log. */
enum orderly_err od_ask(struct orderly *, od_ask_function *, void *argument);
/* Thread: loop. Does it and wakes who asked. */
void od_ask_answer(struct od_loop *, struct od_ask *);

#endif
