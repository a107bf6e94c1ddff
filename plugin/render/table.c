/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static const char separator[] = " | ";
enum {
  SEPARATOR_WIDTH = sizeof separator - 1
};

struct table {
  const struct table_column *columns;
  size_t column_count;
  struct buffer cells; /**< Their texts, each with its NUL. */
  size_t cell_count;
  /** What of them is not cut, in the order of the cells. */
  struct kept {
    size_t cell;
    struct span span;
  } * kept;
  size_t kept_count, kept_capacity;
  size_t *widths;   /**< The widest cell of each column. */
  size_t *minimums; /**< What each needs for what is kept. */
  size_t *rules;    /**< Rows that a rule comes before. */
  size_t rule_count;
  bool flushed; /**< The header was printed. */
};

struct table *table_create(const struct table_column *columns, size_t count) {
  struct table *table = must_alloc(sizeof *table);

  *table = (struct table){.columns = columns,
                          .column_count = count,
                          .widths = must_alloc(count * sizeof(size_t)),
                          .minimums = must_alloc(count * sizeof(size_t))};
  for (size_t i = 0; i < count; i++) {
    table->widths[i] = display_width(columns[i].title);
    table->minimums[i] = columns[i].minimum;
  }
  return table;
}

void table_destroy(struct table *table) {
  if (!table)
    return;
  buffer_deinit(&table->cells);
  free(table->kept);
  free(table->widths);
  free(table->minimums);
  free(table->rules);
  free(table);
}

void table_add(struct table *table, const char *text) {
  size_t *widest = &table->widths[table->cell_count % table->column_count];
  size_t width = display_width(text);

  if (width > *widest)
    *widest = width;
  buffer_append(&table->cells, text, strlen(text) + 1);
  table->cell_count++;
}

void table_add_count(struct table *table, uint64_t count) {
  char text[SIZE_TEXT];

  *put_decimal(text, count) = '\0';
  table_add(table, text);
}

void table_add_size(struct table *table, uint64_t bytes) {
  char text[SIZE_TEXT];

  table_add(table, format_size(text, bytes));
}

void table_add_around(struct table *table, const char *text, struct span kept) {
  /* Its bytes are no fewer than its columns; an ellipsis on either side. */
  size_t least = kept.end - kept.start + 2;
  size_t *minimum = &table->minimums[table->cell_count % table->column_count];

  if (kept.end == kept.start) {
    table_add(table, text);
    return;
  }
  if (*minimum && *minimum < least)
    *minimum = least;
  if (table->kept_count == table->kept_capacity) {
    table->kept_capacity = 2 * table->kept_capacity + 64;
    table->kept =
        must_realloc(table->kept, table->kept_capacity * sizeof *table->kept);
  }
  table->kept[table->kept_count++] = (struct kept){table->cell_count, kept};
  table_add(table, text);
}

void table_rule(struct table *table) {
  table->rules = must_realloc(table->rules,
                              (table->rule_count + 1) * sizeof *table->rules);
  table->rules[table->rule_count++] = table->cell_count / table->column_count;
}

/** Takes columns from the widest that may be cut until all fit. */
static void fit(const struct table *table, size_t *widths, size_t screen) {
  size_t total = (table->column_count - 1) * SEPARATOR_WIDTH;

  for (size_t i = 0; i < table->column_count; i++)
    total += widths[i] + table->columns[i].padding;
  while (total > screen) {
    size_t widest = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++) {
      size_t minimum = table->minimums[i];
      if (minimum && widths[i] > minimum &&
          (widest == SIZE_MAX || widths[i] > widths[widest]))
        widest = i;
    }
    if (widest == SIZE_MAX)
      return;
    widths[widest]--;
    total--;
  }
}

static void add_cell(const struct table *table, struct buffer *line,
                     size_t column, size_t width, const char *cell,
                     struct span kept) {
  const struct table_column *shape = &table->columns[column];
  cleanup_buffer struct buffer cut = {0};
  size_t used = kept.end > kept.start
                    ? cut_append_around(&cut, cell, width, kept)
                    : cut_append(&cut, cell, width, shape->cut);
  size_t blanks = width - used;

  if (column)
    buffer_add(line, separator);
  buffer_fill(line, ' ', shape->padding);
  if (shape->align == ALIGN_RIGHT)
    buffer_fill(line, ' ', blanks);
  buffer_add(line, buffer_string(&cut));
  if (shape->align == ALIGN_LEFT)
    buffer_fill(line, ' ', blanks);
}

static void print_line(struct buffer *line, FILE *out) {
  while (line->length && line->bytes[line->length - 1] == ' ')
    buffer_truncate(line, line->length - 1);
  buffer_add(line, "\n");
  fwrite(line->bytes, 1, line->length, out);
  buffer_clear(line);
}

static void print_rule(const struct table *table, const size_t *widths,
                       struct buffer *line, FILE *out) {
  for (size_t i = 0; i < table->column_count; i++) {
    if (i)
      buffer_add(line, separator);
    buffer_fill(line, '=', widths[i] + table->columns[i].padding);
  }
  print_line(line, out);
}

static void print_header(const struct table *table, const size_t *widths,
                         struct buffer *line, FILE *out) {
  for (size_t i = 0; i < table->column_count; i++)
    add_cell(table, line, i, widths[i], table->columns[i].title,
             (struct span){0});
  print_line(line, out);
  print_rule(table, widths, line, out);
}

static bool has_rule(const struct table *table, size_t row) {
  for (size_t i = 0; i < table->rule_count; i++)
    if (table->rules[i] == row)
      return true;
  return false;
}

void table_print(const struct table *table, FILE *out, int width) {
  cleanup_buffer struct buffer line = {0};
  size_t count = table->column_count;
  size_t *widths = must_alloc(count * sizeof *widths);
  const char *cell = buffer_string(&table->cells);
  size_t next_kept = 0;

  memcpy(widths, table->widths, count * sizeof *widths);
  if (width > 0)
    fit(table, widths, (size_t)width);
  if (!table->flushed)
    print_header(table, widths, &line, out);
  for (size_t i = 0; i < table->cell_count; i++) {
    if (i % count == 0 && has_rule(table, i / count))
      print_rule(table, widths, &line, out);
    struct span kept = {0};
    if (next_kept < table->kept_count && table->kept[next_kept].cell == i)
      kept = table->kept[next_kept++].span;
    add_cell(table, &line, i % count, widths[i % count], cell, kept);
    cell += strlen(cell) + 1;
    if (i % count == count - 1)
      print_line(&line, out);
  }
  free(widths);
}

void table_flush(struct table *table, FILE *out, int width) {
  if (!table->cell_count)
    return;
  table_print(table, out, width);
  table->flushed = true;
  buffer_clear(&table->cells);
  table->cell_count = 0;
  table->kept_count = 0;
}
