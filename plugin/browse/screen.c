/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 *     what refers to list 0x7f3c5a2b1c40                        the title
 *     - list 0x7f3c5a2b1c40 len=3                               the tree
 *       + ['sessions'] in dict 0x7f3c5a2b2040 len=2
 *     --- list 0x7f3c5a2b1c40 ----------------------            the details
 *     address    0x00007f3c5a2b1c40
 *     ? help  q quit                          1 of 2            the last line
 */
#include "config.h"

#include "screen.h"

#include <curses.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/browse/screen_text.h"

enum {
  INDENT = 2,
  MARKER_WIDTH = 2,     /**< "+ " */
  WORDS_MAX = 200,      /**< Bytes that can be typed. */
  TITLE_HEIGHT_MIN = 3, /**< A screen of less has no title. */
  PANE_HEIGHT_MIN = 6,  /**< … and of less no details. */
  SHOW_MILLISECONDS = 150,
};

/** The details of one item, in lines. */
struct pane {
  bool shown;
  bool filled;
  struct browse_item item;
  int width;
  struct screen_lines lines;
  size_t first; /**< The line shown on top. */
};

/** Rows of the terminal that the parts take. */
struct layout {
  int title, tree, pane, status;
};

struct screen {
  struct tty *tty;
  struct browse_model *model;
  const struct screen_content *content;
  bool unicode;
  struct layout layout;
  struct pane pane;
  int shift; /**< Columns of the tree that are left of the screen. */
  char *message;
  char words[WORDS_MAX]; /**< Searched for last. */
  uint64_t shown_at;     /**< When a long search last told how far it is. */
  bool leave;
  enum screen_end end;
};

/* Drawing ----------------------------------------------------------------- */

static void say(struct screen *screen, char *message) {
  free(screen->message);
  screen->message = message;
}

static void say_words(struct screen *screen, const char *message) {
  say(screen, must_copy(message));
}

static struct layout make_layout(const struct screen *screen) {
  struct layout layout = {.title = LINES >= TITLE_HEIGHT_MIN,
                          .status = LINES > 1};
  int rest = LINES - layout.title - layout.status;

  if (screen->pane.shown && rest >= PANE_HEIGHT_MIN)
    layout.pane = rest / 2;
  layout.tree = rest - layout.pane;
  return layout;
}

/** Draws escaped TEXT, cut to COLUMNS. */
static void draw_text(const struct screen *screen, int y, int x,
                      const char *text, int columns, struct span kept) {
  cleanup_buffer struct buffer line = {0};

  if (columns <= 0)
    return;
  screen_text_fit(&line, text, kept, (size_t)columns, screen->unicode);
  mvaddstr(y, x, buffer_string(&line));
}

static void draw_bar(const struct screen *screen, int y, const char *left,
                     const char *right) {
  int width = (int)display_width(right);

  attron(A_REVERSE);
  mvhline(y, 0, ' ', COLS);
  if (width + 2 > COLS / 2)
    width = 0;
  draw_text(screen, y, 0, left, COLS - (width ? width + 2 : 0),
            (struct span){0});
  if (width)
    draw_text(screen, y, COLS - width, right, width, (struct span){0});
  attroff(A_REVERSE);
}

static void draw_title(const struct screen *screen) {
  cleanup_buffer struct buffer text = {0};
  struct browse_row top;

  if (!screen->layout.title)
    return;
  browse_row(screen->model, 0, &top, NULL);
  screen->content->title(screen->content->context, top.item,
                         browse_direction(screen->model), &text);
  draw_bar(screen, 0, buffer_string(&text), "muppy browse");
}

static int indent_of(const struct browse_row *row) {
  return row->depth < INT16_MAX ? INDENT * (int)row->depth : INDENT * INT16_MAX;
}

/** Has the start of the row under the cursor on the screen. */
static int shift_for(const struct browse_model *model) {
  struct browse_row row;

  browse_row(model, browse_cursor(model), &row, NULL);
  int indent = indent_of(&row), most = COLS / 3;
  return indent > most ? indent - most : 0;
}

static char marker_of(enum browse_mark mark) {
  switch (mark) {
  case BROWSE_CLOSED:
    return '+';
  case BROWSE_OPEN:
    return '-';
  default:
    return ' ';
  }
}

static void draw_row(const struct screen *screen, int y, uint64_t number) {
  __attribute__((cleanup(browse_text_deinit))) struct browse_text text = {0};
  struct browse_row row;

  browse_row(screen->model, number, &row, &text);
  int x = indent_of(&row) - screen->shift;
  bool selected = number == browse_cursor(screen->model);
  if (selected) {
    attron(A_REVERSE);
    mvhline(y, 0, ' ', COLS);
  }
  if (x >= 0 && x < COLS)
    mvaddch(y, x, (chtype)marker_of(row.mark));
  x += MARKER_WIDTH;
  draw_text(screen, y, x > 0 ? x : 0, buffer_string(&text.text),
            COLS - (x > 0 ? x : 0), text.kept);
  attroff(A_REVERSE);
}

static void draw_tree(struct screen *screen) {
  uint64_t height = (uint64_t)screen->layout.tree;
  uint64_t first = browse_first(screen->model, height);
  uint64_t rows = browse_rows(screen->model);

  screen->shift = shift_for(screen->model);
  for (uint64_t i = 0; i < height && first + i < rows; i++)
    draw_row(screen, screen->layout.title + (int)i, first + i);
}

static void fill_pane(struct screen *screen, struct browse_item item) {
  struct pane *pane = &screen->pane;
  char *bytes = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&bytes, &length);

  screen_lines_deinit(&pane->lines);
  if (file) {
    screen->content->details(screen->content->context, item, file, COLS);
    fclose(file);
  }
  screen_lines_init(&pane->lines, bytes);
  pane->first = 0;
  pane->filled = true;
  pane->item = item;
  pane->width = COLS;
}

static void draw_pane(struct screen *screen) {
  __attribute__((cleanup(browse_text_deinit))) struct browse_text text = {0};
  struct pane *pane = &screen->pane;
  int y = screen->layout.title + screen->layout.tree;
  struct browse_row row;

  if (!screen->layout.pane)
    return;
  browse_row(screen->model, browse_cursor(screen->model), &row, &text);
  if (!pane->filled || pane->width != COLS ||
      pane->item.kind != row.item.kind || pane->item.number != row.item.number)
    fill_pane(screen, row.item);
  size_t height = (size_t)screen->layout.pane - 1;
  size_t last = pane->lines.count > height ? pane->lines.count - height : 0;
  if (pane->first > last)
    pane->first = last;
  draw_bar(screen, y, buffer_string(&text.text),
           pane->first < last ? "J K: more" : "");
  for (size_t i = 0; i < height && pane->first + i < pane->lines.count; i++)
    draw_text(screen, y + 1 + (int)i, 0, pane->lines.items[pane->first + i],
              COLS, (struct span){0});
}

/** Messages may be longer than a line: over the lowest rows then. */
static void draw_message(const struct screen *screen) {
  struct screen_lines lines;

  screen_lines_wrap(&lines, screen->message, (size_t)COLS, screen->unicode);
  size_t shown = lines.count < (size_t)LINES ? lines.count : (size_t)LINES;
  for (size_t i = 0; i < shown; i++) {
    int y = LINES - (int)shown + (int)i;
    mvhline(y, 0, ' ', COLS);
    mvaddstr(y, 0, lines.items[i]);
  }
  screen_lines_deinit(&lines);
}

static void draw_status(const struct screen *screen) {
  char position[64];

  if (screen->message) {
    draw_message(screen);
    return;
  }
  if (!screen->layout.status)
    return;
  snprintf(position, sizeof position, "%" PRIu64 " of %" PRIu64,
           browse_cursor(screen->model) + 1, browse_rows(screen->model));
  draw_bar(screen, LINES - 1, "? help  i details  / search  q quit", position);
}

static void draw(struct screen *screen) {
  erase();
  screen->layout = make_layout(screen);
  draw_title(screen);
  draw_tree(screen);
  draw_pane(screen);
  draw_status(screen);
  /* The cursor itself stands where a reader of screens looks for it. */
  move(screen->layout.title +
           (int)(browse_cursor(screen->model) -
                 browse_first(screen->model, (uint64_t)screen->layout.tree)),
       0);
  refresh();
}

/* What is typed ----------------------------------------------------------- */

/** Ends what is going on when KEY says so. */
static bool is_ending(struct screen *screen, int32_t key) {
  if (key != TTY_CANCELED && key != TTY_LOST)
    return false;
  screen->leave = true;
  screen->end = key == TTY_LOST ? SCREEN_LOST : SCREEN_CANCELED;
  return true;
}

static bool is_erasing(int32_t key) {
  return key == TTY_KEY(KEY_BACKSPACE) || key == 0x7f || key == '\b';
}

/** Has the user type a line into TEXT; false when he thought better of it. */
static bool type_line(struct screen *screen, const char *prompt,
                      struct buffer *text) {
  for (;;) {
    draw(screen);
    mvhline(LINES - 1, 0, ' ', COLS);
    mvaddnstr(LINES - 1, 0, prompt, COLS);
    int x = (int)strlen(prompt), room = COLS - x - 1;
    cleanup_buffer struct buffer end = {0};
    if (room > 0)
      cut_append(&end, buffer_string(text), (size_t)room, CUT_START);
    draw_text(screen, LINES - 1, x, buffer_string(&end), room,
              (struct span){0});
    refresh();
    int32_t key = tty_key(screen->tty, -1);
    if (is_ending(screen, key) || key == '\x1b' || key == '\x03')
      return false;
    if (key == '\r' || key == '\n' || key == TTY_KEY(KEY_ENTER))
      return text->length > 0;
    if (is_erasing(key) && !text->length)
      return false;
    if (is_erasing(key))
      screen_text_drop_last(text);
    else if (key == '\x15') /* Ctrl-U */
      buffer_truncate(text, 0);
    else if (key >= ' ' && key < TTY_FUNCTION && text->length < WORDS_MAX - 20)
      screen_text_add_code(text, key);
  }
}

/* Search ------------------------------------------------------------------ */

static uint64_t milliseconds(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool search_step(void *context, uint64_t done, uint64_t total) {
  struct screen *screen = context;
  uint64_t now = milliseconds();
  char text[100];

  if (now - screen->shown_at < SHOW_MILLISECONDS)
    return true;
  screen->shown_at = now;
  int32_t key = tty_key(screen->tty, 0);
  if (is_ending(screen, key) || key == '\x03' || key == '\x1b')
    return false;
  snprintf(text, sizeof text,
           "searching: %" PRIu64 " of %" PRIu64 " rows; Ctrl-C stops", done,
           total);
  mvhline(LINES - 1, 0, ' ', COLS);
  mvaddnstr(LINES - 1, 0, text, COLS);
  refresh();
  return true;
}

static void search(struct screen *screen, bool forward) {
  cleanup_buffer struct buffer message = {0};

  if (!*screen->words) {
    say_words(screen, "nothing was searched for yet; / does");
    return;
  }
  screen->shown_at = milliseconds();
  switch (browse_search(screen->model, screen->words, forward, search_step,
                        screen)) {
  case BROWSE_FOUND:
    break;
  case BROWSE_FOUND_WRAPPED:
    say_words(screen,
              forward ? "found from the top on" : "found from the end on");
    break;
  case BROWSE_NOT_FOUND:
    buffer_add(&message, "no row that is shown has '");
    escape_add(&message, screen->words);
    buffer_add(&message, "'");
    say(screen, buffer_take(&message));
    break;
  case BROWSE_STOPPED:
    say_words(screen, "search stopped");
    break;
  }
}

static void ask_search(struct screen *screen) {
  cleanup_buffer struct buffer text = {0};

  if (!type_line(screen, "/", &text))
    return;
  snprintf(screen->words, sizeof screen->words, "%s", buffer_string(&text));
  search(screen, true);
}

static void ask_jump(struct screen *screen) {
  cleanup_buffer struct buffer text = {0};
  struct browse_item item;

  if (!type_line(screen, "go to address: ", &text))
    return;
  char *problem = screen->content->jump(screen->content->context,
                                        buffer_string(&text), &item);
  if (problem)
    say(screen, problem);
  else
    browse_visit(screen->model, item, browse_direction(screen->model));
}

/* Opening ----------------------------------------------------------------- */

static void explain_leaf(struct screen *screen) {
  __attribute__((cleanup(browse_text_deinit))) struct browse_text text = {0};
  const struct screen_content *content = screen->content;
  struct browse_row row;

  browse_row(screen->model, browse_cursor(screen->model), &row, &text);
  say_words(screen, content->leaf(content->context, row.item,
                                  browse_direction(screen->model)));
}

static void explain(struct screen *screen, enum browse_mark mark) {
  if (mark == BROWSE_CYCLE)
    say_words(screen, "it is above already, a cycle; f begins a tree with it");
  if (mark == BROWSE_LEAF)
    explain_leaf(screen);
}

static void open_row(struct screen *screen) {
  explain(screen, browse_open(screen->model));
  browse_show_below(screen->model, (uint64_t)screen->layout.tree);
}

static void toggle(struct screen *screen) {
  if (!browse_close(screen->model))
    open_row(screen);
}

static void open_or_enter(struct screen *screen) {
  struct browse_row row;

  browse_row(screen->model, browse_cursor(screen->model), &row, NULL);
  if (row.mark == BROWSE_OPEN)
    browse_move(screen->model, 1);
  else
    open_row(screen);
}

static void close_or_leave(struct screen *screen) {
  if (!browse_close(screen->model))
    browse_move_up(screen->model);
}

/** Begins a tree with the item under the cursor. */
static void visit(struct screen *screen, enum browse_direction direction) {
  struct browse_row row;

  browse_row(screen->model, browse_cursor(screen->model), &row, NULL);
  browse_visit(screen->model, row.item, direction);
  browse_row(screen->model, 0, &row, NULL);
  explain(screen, row.mark);
}

static void turn(struct screen *screen) {
  visit(screen, browse_direction(screen->model) == BROWSE_REFERRERS
                    ? BROWSE_REFERENTS
                    : BROWSE_REFERRERS);
}

static void go_back(struct screen *screen) {
  if (!browse_back(screen->model))
    say_words(screen, "there is nothing before this; q leaves");
}

/* Mouse ------------------------------------------------------------------- */

static void wheel(struct screen *screen, int y, int lines) {
  if (screen->layout.pane && y >= screen->layout.title + screen->layout.tree) {
    struct pane *pane = &screen->pane;
    if (lines > 0)
      pane->first += (size_t)lines;
    else
      pane->first -=
          pane->first < (size_t)-lines ? pane->first : (size_t)-lines;
    return;
  }
  browse_scroll(screen->model, lines, (uint64_t)screen->layout.tree);
}

static void click(struct screen *screen, int y, int x) {
  int line = y - screen->layout.title;
  struct browse_row row;

  if (line < 0 || line >= screen->layout.tree)
    return;
  uint64_t number = browse_first(screen->model, (uint64_t)screen->layout.tree) +
                    (uint64_t)line;
  if (number >= browse_rows(screen->model))
    return;
  browse_move_to(screen->model, number);
  browse_row(screen->model, number, &row, NULL);
  int marker = indent_of(&row) - screen->shift;
  if (x >= marker && x < marker + MARKER_WIDTH)
    toggle(screen);
}

static void take_mouse(struct screen *screen) {
  MEVENT event;

  if (getmouse(&event) != OK)
    return;
  if (event.bstate & BUTTON4_PRESSED)
    wheel(screen, event.y, -3);
  else if (event.bstate & BUTTON5_PRESSED)
    wheel(screen, event.y, 3);
  else if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED))
    click(screen, event.y, event.x);
}

/* Help -------------------------------------------------------------------- */

static const char *const help_lines[] = {
    "Keys of muppy browse",
    "  Up Down, k j     the row above, below",
    "  PgUp PgDn        a screen up, down (Ctrl-B, Ctrl-F)",
    "  Home End, < >    the first row, the last",
    "  Right, l         open; when it is open, the first row below",
    "  Left, h          close; when it is closed, the row it is below",
    "  Enter, Space     open or close",
    "  i, Tab           details of the object, or no more",
    "  J K              the details' next line, the one before",
    "  /                search the rows that are shown",
    "  n N              the next that was found, the one before",
    "  g                go to an address",
    "  f                begin a tree with the object",
    "  r                the same, but in the other direction:",
    "                   what refers to it, what it refers to",
    "  b, Backspace     back to the tree before",
    "  Ctrl-L           draw the screen again",
    "  q, Ctrl-C        leave",
    "  Mouse: a click on + or - opens or closes, on a row selects it;",
    "  the wheel scrolls.",
    "  (cycle) stands behind what is above itself already, ? behind the name",
    "  of a reference that is probable only.",
};

enum {
  HELP_COUNT = sizeof help_lines / sizeof *help_lines
};

/** A screen at a time; any key goes on. */
static void show_help(struct screen *screen) {
  for (int first = 0; first < HELP_COUNT && !screen->leave;) {
    int height = LINES > 1 ? LINES - 1 : 1;
    erase();
    for (int i = 0; i < height && first + i < HELP_COUNT; i++)
      mvaddnstr(i, 0, help_lines[first + i], COLS);
    if (LINES > 1)
      mvaddnstr(LINES - 1, 0,
                first + height < HELP_COUNT ? "any key: more"
                                            : "any key: back to the tree",
                COLS);
    refresh();
    int32_t key = tty_key(screen->tty, -1);
    if (is_ending(screen, key) || key == 'q' || key == '\x1b')
      return;
    if (key != TTY_RESIZED)
      first += height;
  }
}

/* Keys -------------------------------------------------------------------- */

static int64_t page(const struct screen *screen) {
  return screen->layout.tree > 1 ? screen->layout.tree - 1 : 1;
}

static void go_up(struct screen *screen) {
  browse_move(screen->model, -1);
}

static void go_down(struct screen *screen) {
  browse_move(screen->model, 1);
}

static void page_up(struct screen *screen) {
  browse_move(screen->model, -page(screen));
}

static void page_down(struct screen *screen) {
  browse_move(screen->model, page(screen));
}

static void go_first(struct screen *screen) {
  browse_move_to(screen->model, 0);
}

static void go_last(struct screen *screen) {
  browse_move_to(screen->model, UINT64_MAX);
}

static void toggle_pane(struct screen *screen) {
  screen->pane.shown = !screen->pane.shown;
  screen->pane.filled = false;
  if (screen->pane.shown && !make_layout(screen).pane)
    say_words(screen, "the screen is too low for details");
}

static void pane_down(struct screen *screen) {
  wheel(screen, LINES - 1, 1);
}

static void pane_up(struct screen *screen) {
  wheel(screen, LINES - 1, -1);
}

static void search_next(struct screen *screen) {
  search(screen, true);
}

static void search_previous(struct screen *screen) {
  search(screen, false);
}

static void focus(struct screen *screen) {
  visit(screen, browse_direction(screen->model));
}

static void redraw(struct screen *screen) {
  (void)screen;
  clearok(curscr, TRUE);
}

static void stop(struct screen *screen) {
  if (!tty_stop(screen->tty))
    say_words(screen, "gdb waits for this command: leave with q first");
}

static void quit(struct screen *screen) {
  screen->leave = true;
}

static const struct {
  int32_t key;
  void (*act)(struct screen *screen);
} keys[] = {
    {TTY_KEY(KEY_UP), go_up},
    {'k', go_up},
    {TTY_KEY(KEY_DOWN), go_down},
    {'j', go_down},
    {TTY_KEY(KEY_PPAGE), page_up},
    {'\x02', page_up},
    {TTY_KEY(KEY_NPAGE), page_down},
    {'\x06', page_down},
    {TTY_KEY(KEY_HOME), go_first},
    {'<', go_first},
    {TTY_KEY(KEY_END), go_last},
    {'>', go_last},
    {'G', go_last},
    {TTY_KEY(KEY_RIGHT), open_or_enter},
    {'l', open_or_enter},
    {TTY_KEY(KEY_LEFT), close_or_leave},
    {'h', close_or_leave},
    {'\r', toggle},
    {'\n', toggle},
    {TTY_KEY(KEY_ENTER), toggle},
    {' ', toggle},
    {'i', toggle_pane},
    {'\t', toggle_pane},
    {'J', pane_down},
    {'K', pane_up},
    {'/', ask_search},
    {'n', search_next},
    {'N', search_previous},
    {'g', ask_jump},
    {'f', focus},
    {'r', turn},
    {'b', go_back},
    {TTY_KEY(KEY_BACKSPACE), go_back},
    {'\x7f', go_back},
    {'\b', go_back},
    {'\x0c', redraw},
    {TTY_KEY(KEY_MOUSE), take_mouse},
    {'?', show_help},
    {'\x1a', stop},
    {'q', quit},
    {'Q', quit},
    {'\x03', quit},
};

static void take_key(struct screen *screen, int32_t key) {
  if (key == 0 || key == TTY_RESIZED || is_ending(screen, key))
    return;
  say(screen, NULL);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (keys[i].key == key) {
      keys[i].act(screen);
      return;
    }
  say_words(screen, "no such key; ? shows them");
}

enum screen_end screen_run(struct tty *tty, struct browse_model *model,
                           const struct screen_content *content) {
  struct screen screen = {
      .tty = tty,
      .model = model,
      .content = content,
      .unicode = tty_is_unicode(tty),
      .end = SCREEN_LEFT,
  };

  screen.layout = make_layout(&screen);
  while (!screen.leave) {
    /* Keys that came meanwhile go first: who holds one down sees where it
     * ends, not every row on the way. */
    if (!tty_has_input(tty))
      draw(&screen);
    take_key(&screen, tty_key(tty, -1));
  }
  say(&screen, NULL);
  screen_lines_deinit(&screen.pane.lines);
  return screen.end;
}
