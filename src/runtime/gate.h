/* The gate, looked at. */
#ifndef OD_RUNTIME_GATE_H
#define OD_RUNTIME_GATE_H

#include "orderly/orderly.h"

struct od_loop;

/* Thread: loop. A full-size struct of what the gate is doing now. */
void od_gate_fill(struct od_loop *, struct orderly_gate *ret);

#endif
