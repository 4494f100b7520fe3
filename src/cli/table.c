/* A table for people. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define COLUMNS_MAX 16

static void add(struct od_table *table, char *cell)
{
    if (table->count == table->room) {
        size_t room = table->room ? table->room * 2 : 64;
        char **cells = realloc(table->cells, room * sizeof *cells);
        if (!cells) {
            free(cell);
            return;
        }
        table->cells = cells;
        table->room = room;
    }
    table->cells[table->count++] = cell;
}

void od_table_init(struct od_table *table, const char *heads)
{
    *table = (struct od_table){0};
    while (heads) {
        size_t size = strcspn(heads, "|");
        add(table, strndup(heads, size));
        table->columns++;
        heads = heads[size] ? heads + size + 1 : NULL;
    }
}

void od_table_add(struct od_table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list list;
    va_start(list, format);
    if (vasprintf(&cell, format, list) < 0) {
        cell = NULL;
    }
    va_end(list);
    add(table, cell);
}

/* Characters, not bytes: what continues a UTF-8 character takes no room. */
static size_t width(const char *text)
{
    size_t count = 0;
    for (; text && *text; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

static void print_cell(FILE *out, const char *text, size_t wide, bool right, bool last)
{
    size_t have = width(text), pad = wide > have ? wide - have : 0;
    fprintf(out, "%*s%s%*s%s", right ? (int)pad : 0, "", text ? text : "", right || last ? 0 : (int)pad, "",
            last ? "\n" : "  ");
}

void od_table_print(struct od_table *table, FILE *out)
{
    size_t wide[COLUMNS_MAX] = {0}, columns = table->columns < COLUMNS_MAX ? table->columns : COLUMNS_MAX;
    bool right[COLUMNS_MAX] = {false}, colour = od_has_colour(out);
    for (size_t c = 0; c < columns; c++) {
        char *head = table->cells[c];
        if (head && *head == '>') {
            right[c] = true;
            memmove(head, head + 1, strlen(head));
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t have = width(table->cells[i]), c = i % table->columns;
        if (c < columns && have > wide[c]) {
            wide[c] = have;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t c = i % table->columns;
        if (c < columns) {
            fputs(colour && i == 0 ? "\033[1m" : "", out);
            print_cell(out, table->cells[i], wide[c], right[c], c + 1 == columns);
            fputs(colour && i + 1 == columns ? "\033[0m" : "", out);
        }
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct od_table){0};
}
