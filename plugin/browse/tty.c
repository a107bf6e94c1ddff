/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * The terminal is gdb's, or the one of the command line.  For the helper of gdb
 * it is none that controls it: no signal comes from its keys or its size, so
 * Ctrl-C is read as a character and the size is asked for now and then.
 */
#include "config.h"

#include "tty.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "plugin/render/escape.h"

/* Last, for it makes macros of common words. */
#include <term.h>

enum {
  LOOK_MILLISECONDS = 200,  /**< Between two looks at the terminal's size. */
  ESCAPE_MILLISECONDS = 50, /**< An Esc key, and no longer sequence. */
};

static const char mouse_off[] = "\033[?1000l\033[?1006l";

struct tty {
  int fd;
  FILE *in, *out;
  SCREEN *curses;
  const struct command_terminal *terminal;
  char *old_locale;
  struct termios state;
};

/* What leaves the screen in an emergency ---------------------------------- */

/** For the signals that end this process. */
static struct {
  volatile sig_atomic_t active;
  int fd;
  struct termios state;
  char text[TERMINAL_RESTORE];
  size_t length;
} emergency;

static const int ending_signals[] = {SIGTERM, SIGHUP, SIGSEGV, SIGBUS,
                                     SIGABRT, SIGFPE, SIGILL};

static void leave_screen(void) {
  if (!emergency.active)
    return;
  emergency.active = 0;
  if (write(emergency.fd, emergency.text, emergency.length) >= 0)
    tcsetattr(emergency.fd, TCSADRAIN, &emergency.state);
}

/** The handler is gone by now (SA_RESETHAND): ends as without it. */
static void on_ending_signal(int number) {
  leave_screen();
  raise(number);
}

static void set_handlers(bool active) {
  struct sigaction action = {.sa_handler = active ? on_ending_signal : SIG_DFL,
                             .sa_flags = active ? (int)SA_RESETHAND : 0};

  for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
    sigaction(ending_signals[i], &action, NULL);
}

static void prepare_emergency(const struct tty *tty, const char *restore) {
  static bool registered;

  /* Running out of memory ends by exit(). */
  if (!registered)
    registered = atexit(leave_screen) == 0;
  emergency.fd = tty->fd;
  emergency.state = tty->state;
  emergency.length = strlen(restore);
  memcpy(emergency.text, restore, emergency.length);
  emergency.active = 1;
  set_handlers(true);
}

/* What terminal it is ----------------------------------------------------- */

/** Appends a capability without the delays that old terminals needed. */
static void add_capability(char *restore, size_t *length, const char *name) {
  const char *text = tigetstr((char *)name);

  if (!text || text == (char *)-1)
    return;
  for (size_t at = *length; *text && at + 1 < TERMINAL_RESTORE; text++) {
    const char *delay_end =
        strncmp(text, "$<", 2) == 0 ? strchr(text, '>') : NULL;
    if (delay_end) {
      text = delay_end;
      continue;
    }
    restore[at++] = *text;
    restore[at] = '\0';
    *length = at;
  }
}

const char *tty_check(char restore[TERMINAL_RESTORE]) {
  static char problem[100];
  static const char *const capabilities[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
  const char *name = getenv("TERM");
  size_t length = 0;
  int error;

  restore[0] = '\0';
  if (!name || !*name)
    return "TERM does not say which terminal this is";
  if (setupterm(NULL, STDOUT_FILENO, &error) != OK) {
    snprintf(problem, sizeof problem,
             "the terminal '%.40s' (TERM) is not known on this machine", name);
    return problem;
  }
  const char *move = tigetstr("cup"), *mouse = tigetstr("kmous");
  if (!move || move == (char *)-1) {
    snprintf(problem, sizeof problem,
             "the terminal '%.40s' (TERM) cannot move its cursor", name);
    del_curterm(cur_term);
    return problem;
  }
  if (mouse && mouse != (char *)-1) {
    strcpy(restore, mouse_off);
    length = strlen(restore);
  }
  for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
    add_capability(restore, &length, capabilities[i]);
  del_curterm(cur_term);
  return NULL;
}

/** Whether the environment says UTF-8, maybe by a locale that is not there. */
static bool wants_unicode(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};

  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *value = getenv(variables[i]);
    if (value && *value)
      return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

static void set_locale(struct tty *tty) {
  tty->old_locale = must_copy(setlocale(LC_CTYPE, NULL));
  if (!setlocale(LC_CTYPE, "") && wants_unicode())
    setlocale(LC_CTYPE, "C.UTF-8");
}

bool tty_is_unicode(const struct tty *tty) {
  (void)tty;
  return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Taking and leaving it --------------------------------------------------- */

/** Follows the size of the terminal.  True when it changed. */
static bool follow_size(const struct tty *tty) {
  struct winsize size;

  if (ioctl(tty->fd, TIOCGWINSZ, &size) != 0 || !size.ws_row || !size.ws_col ||
      (size.ws_row == LINES && size.ws_col == COLS))
    return false;
  resizeterm(size.ws_row, size.ws_col);
  return true;
}

static void begin_curses(const struct tty *tty) {
  raw();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(ESCAPE_MILLISECONDS);
  mouseinterval(0);
  mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED |
                BUTTON5_PRESSED,
            NULL);
  follow_size(tty);
}

static void destroy_parts(struct tty *tty) {
  if (tty->in)
    fclose(tty->in);
  if (tty->out)
    fclose(tty->out);
  if (tty->old_locale)
    setlocale(LC_CTYPE, tty->old_locale);
  free(tty->old_locale);
  close(tty->fd);
  free(tty);
}

struct tty *tty_create(int fd, const char *restore,
                       const struct command_terminal *terminal) {
  struct tty *tty = must_alloc(sizeof *tty);

  *tty = (struct tty){.fd = fd, .terminal = terminal};
  tty->in = fdopen(dup(fd), "r");
  tty->out = fdopen(dup(fd), "w");
  if (!tty->in || !tty->out || tcgetattr(fd, &tty->state) != 0) {
    destroy_parts(tty);
    return NULL;
  }
  set_locale(tty);
  prepare_emergency(tty, restore);
  tty->curses = newterm(NULL, tty->out, tty->in);
  if (tty->curses) {
    begin_curses(tty);
    return tty;
  }
  set_handlers(false);
  emergency.active = 0;
  destroy_parts(tty);
  return NULL;
}

void tty_destroy(struct tty *tty) {
  if (!tty)
    return;
  mousemask(0, NULL);
  endwin();
  delscreen(tty->curses);
  emergency.active = 0;
  set_handlers(false);
  tcsetattr(tty->fd, TCSADRAIN, &tty->state);
  destroy_parts(tty);
}

bool tty_stop(struct tty *tty) {
  if (!tty->terminal->can_stop)
    return false;
  endwin();
  raise(SIGTSTP);
  follow_size(tty);
  clear();
  return true;
}

/* Keys -------------------------------------------------------------------- */

/** Waits until there is a key or a reason to look up; TTY_LOST or 0. */
static int32_t wait_for_input(struct tty *tty, int milliseconds) {
  struct pollfd files[] = {
      {.fd = tty->fd, .events = POLLIN},
      {.fd = tty->terminal->wake, .events = POLLIN},
  };

  if (poll(files, 2, milliseconds) <= 0)
    return 0;
  if ((files[0].revents & (POLLHUP | POLLERR | POLLNVAL)) ||
      (files[1].revents & (POLLHUP | POLLERR)))
    return TTY_LOST;
  return 0;
}

/** The character that begins with the byte FIRST; 0 when it is none.  curses'
 * own get_wch() would wait for up to 16 bytes to make sense of a bad one. */
static int32_t take_character(const struct tty *tty, int first) {
  char bytes[4] = {(char)first};
  size_t count = 1, wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, length;

  if (first < 0x80)
    return first;
  if (first < 0xc2 || !tty_is_unicode(tty))
    return 0;
  while (count < wanted) {
    int byte = getch();
    if (byte == ERR)
      break;
    if ((byte & ~0x3f) != 0x80) {
      ungetch(byte);
      break;
    }
    bytes[count++] = (char)byte;
  }
  int32_t code = utf8_decode(bytes, count, &length);
  return code < 0 ? 0 : code;
}

static int32_t take_key(const struct tty *tty) {
  int key = getch();

  if (key == ERR)
    return 0;
  if (key == KEY_RESIZE)
    return TTY_RESIZED;
  return key > 0xff ? TTY_KEY(key) : take_character(tty, key);
}

int32_t tty_key(struct tty *tty, int milliseconds) {
  for (;;) {
    if (wait_for_input(tty, 0) == TTY_LOST)
      return TTY_LOST;
    if (tty->terminal->is_canceled(tty->terminal->context))
      return TTY_CANCELED;
    if (follow_size(tty))
      return TTY_RESIZED;
    int32_t key = take_key(tty);
    if (key)
      return key;
    if (!milliseconds)
      return 0;
    int wait = milliseconds < 0 || milliseconds > LOOK_MILLISECONDS
                   ? LOOK_MILLISECONDS
                   : milliseconds;
    if (milliseconds > 0)
      milliseconds -= wait;
    wait_for_input(tty, wait);
  }
}

bool tty_has_input(struct tty *tty) {
  struct pollfd file = {.fd = tty->fd, .events = POLLIN};

  return poll(&file, 1, 0) > 0 && (file.revents & POLLIN);
}
