/* A table for people: columns as wide as their widest cell, numbers to the right, a head. */
#ifndef OD_CLI_TABLE_H
#define OD_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct od_table {
    size_t columns, count, room;
    char **cells;
};

/* Heads separated by |; one that begins with > is a column of numbers. */
void od_table_init(struct od_table *, const char *heads);
/* One cell after the other; a row is full after `columns` of them. Out of memory: the cell is empty. */
void od_table_add(struct od_table *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. The last column is not padded. */
void od_table_print(struct od_table *, FILE *);

#endif
