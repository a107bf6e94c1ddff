/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * What gdb writes for us to read, and what is written for gdb to source.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugin/debuggee.h"
#include "plugin/gdb/response.h"
#include "plugin/regions.h"
#include "plugin/request.h"

/** A file with these bytes; close() it. */
static int file_with(const char *bytes, size_t length) {
  int fd = memfd_create("test", MFD_CLOEXEC);

  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, bytes, length, 0), length);
  return fd;
}

/* info files ---------------------------------------------------------------- */

static struct debuggee debuggee_of(const char *text) {
  struct debuggee debuggee;
  int fd = file_with(text, strlen(text));

  debuggee_init(&debuggee, fd);
  close(fd);
  return debuggee;
}

static void core_and_files_are_found(void **state) {
  (void)state;
  struct debuggee debuggee = debuggee_of(
      "Symbols from \"/usr/bin/python3.11\".\n"
      "Local core dump file:\n"
      "\t`/tmp/it's a core', file type elf64-x86-64.\n"
      "\t0x0000000000400000 - 0x000000000041f000 is load1\n"
      "Local exec file:\n"
      "\t`/usr/bin/python3.11', file type elf64-x86-64.\n"
      "\tEntry point: 0x60a790\n"
      "\t0x0000000000420f10 - 0x00000000006cee3e is .text\n"
      "\t0x00007f2074033230 - 0x00007f20740a63d8 is .text in /lib/a b/libm.so\n"
      "\t0x00007f2074133230 - 0x00007f2074134000 is .data in /lib/a b/libm.so\n"
      "\t0x00007f2073e1d380 - 0x00007f2073f7122d is .text in "
      "target:/lib/libc.so.6\n");

  assert_string_equal(debuggee.core, "/tmp/it's a core");
  assert_string_equal(debuggee.exe, "/usr/bin/python3.11");
  assert_int_equal(debuggee.pid, 0);
  assert_int_equal(debuggee.file_count, 2);
  assert_string_equal(debuggee.files[0].path, "/lib/a b/libm.so");
  assert_int_equal(debuggee.files[0].text_start, 0x7f2074033230);
  assert_string_equal(debuggee.files[1].path, "/lib/libc.so.6");
  assert_false(debuggee_is_readable(&debuggee));
  debuggee_deinit(&debuggee);
}

static void processes_are_found(void **state) {
  (void)state;
  static const char *const ways[][2] = {
      {"attached Thread 0x7f (LWP ", ")."},
      {"child process ", "."},
      {"attached LWP ", "."},
  };

  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    char text[200];

    snprintf(text, sizeof text,
             "Native process:\n\tUsing the running image of %s%d%s\n",
             ways[i][0], (int)getpid(), ways[i][1]);
    struct debuggee debuggee = debuggee_of(text), again = debuggee_of(text);
    assert_int_equal(debuggee.pid, getpid());
    assert_true(debuggee_is_readable(&debuggee));
    assert_non_null(debuggee.identity);
    assert_true(debuggee_is_same(&debuggee, &debuggee));
    debuggee_deinit(&debuggee);
    debuggee_deinit(&again);
  }
}

static void a_remote_program_is_neither(void **state) {
  (void)state;
  static const char text[] =
      "Remote target using gdb-specific protocol:\n"
      "\t`target:/usr/bin/python3.11', file type elf64-x86-64.\n"
      "\tEntry point: 0x60a790\n"
      "\tWhile running this, GDB does not access memory from...\n"
      "Local exec file:\n"
      "\t`/home/me/python3.11', file type elf64-x86-64.\n";
  struct debuggee debuggee = debuggee_of(text), again = debuggee_of(text);

  assert_null(debuggee.core);
  assert_int_equal(debuggee.pid, 0);
  assert_string_equal(debuggee.exe, "/usr/bin/python3.11");
  assert_false(debuggee_is_readable(&debuggee));
  /* It may have run in between, and nobody can tell. */
  assert_false(debuggee_is_same(&debuggee, &again));
  debuggee_deinit(&debuggee);
  debuggee_deinit(&again);
}

static void senseless_text_is_nothing(void **state) {
  (void)state;
  struct debuggee debuggee = debuggee_of(
      "\t`\n\nLocal core dump file:\n\t`no end\nNative process:\n\t(LWP x)\n"
      "\t(LWP 99999999999999999999)\n\tzz - 0x is .text in /x\n\t is .text in "
      "/");

  assert_null(debuggee.core);
  assert_int_equal(debuggee.pid, 0);
  assert_int_equal(debuggee.file_count, 0);
  debuggee_deinit(&debuggee);
  debuggee = debuggee_of("");
  assert_null(debuggee.exe);
  debuggee_deinit(&debuggee);
}

static void records_of_mi_are_understood(void **state) {
  (void)state;
  struct debuggee debuggee = debuggee_of(
      "~\"Local core dump file:\\n\"\n"
      "~\"\\t`/tmp/\\\"\\303\\266\\\\.\"\n~\"core', file type elf.\\n\"\n"
      "Local exec file:\n"
      "\t`/bin/~\"python', file type elf.\n"
      "~\"\\");

  assert_string_equal(debuggee.core, "/tmp/\"\u00f6\\.core");
  assert_string_equal(debuggee.exe, "/bin/~\"python");
  debuggee_deinit(&debuggee);
}

/* Regions ------------------------------------------------------------------- */

static struct regions regions_of(const char *text, bool core) {
  struct regions regions;
  int fd = file_with(text, strlen(text));

  regions_init(&regions, fd, core);
  close(fd);
  return regions;
}

struct expected {
  uint64_t start, end, offset;
  const char *path;
  bool writable;
  enum pyheap_region_source source;
};

static void check_regions(struct regions regions,
                          const struct expected *expected, size_t count) {
  assert_int_equal(regions.count, count);
  for (size_t i = 0; i < count; i++) {
    const struct pyheap_region *found = &regions.items[i];

    assert_int_equal(found->start, expected[i].start);
    assert_int_equal(found->end, expected[i].end);
    assert_int_equal(found->offset, expected[i].offset);
    assert_int_equal(found->writable, expected[i].writable);
    assert_int_equal(found->source, expected[i].source);
    if (expected[i].path)
      assert_string_equal(found->path, expected[i].path);
    else
      assert_null(found->path);
  }
  regions_deinit(&regions);
}

#define CHECK_REGIONS(regions, expected)                                       \
  check_regions(regions, expected, sizeof(expected) / sizeof *(expected))

#define READER PYHEAP_REGION_READER
#define FILE_FIRST PYHEAP_REGION_FILE_FIRST
#define ONLY_FILE PYHEAP_REGION_FILE

static const struct expected live[] = {
    {0x400000, 0x41f000, 0, "/bin/my python", false, FILE_FIRST},
    {0x41f000, 0x6cf000, 0x1f000, "/bin/my python", false, FILE_FIRST},
    {0x941000, 0xa7f000, 0x540000, "/bin/my python", true, READER},
    {0xa7f000, 0xac4000, 0, NULL, true, READER},
    {0xce28000, 0xcec1000, 0, NULL, true, READER},
};

/** gdb 12 to 15. */
static void mappings_with_modes(void **state) {
  (void)state;
  struct regions regions = regions_of(
      "process 4711\n"
      "Mapped address spaces:\n"
      "\n"
      "          Start Addr           End Addr       Size     Offset  Perms  "
      "objfile\n"
      "            0x400000           0x41f000    0x1f000        0x0  r--p   "
      "/bin/my python\n"
      "            0x41f000           0x6cf000   0x2b0000    0x1f000  r-xp   "
      "/bin/my python\n"
      "            0x941000           0xa7f000   0x13e000   0x540000  rw-p   "
      "/bin/my python\n"
      "            0xa7f000           0xac4000    0x45000        0x0  rw-p   \n"
      "           0xce28000          0xcec1000    0x99000        0x0  rw-p   "
      "[heap]\n"
      "      0x7f2073d9e000     0x7f2073df5000    0x57000        0x0  r--p   "
      "/usr/lib/locale/C.utf8/LC_CTYPE\n"
      "      0x7f2073e9e000     0x7f2073ef5000    0x57000        0x0  ---p   \n"
      "      0x7f2074110000     0x7f2074114000     0x4000        0x0  r--p   "
      "[vvar]\n"
      "  0xffffffffff600000 0xffffffffff601000     0x1000        0x0  --xp   "
      "[vsyscall]\n"
      "6    AT_PAGESZ            System page size               4096\n"
      "9    AT_ENTRY             Entry point of program         0x60a790\n"
      "25   AT_RANDOM            Address of 16 random bytes     "
      "0x7ffd3b0c0a59\n",
      false);

  assert_int_equal(regions.entry, 0x60a790);
  assert_true(regions.random == 0x7ffd3b0c0a59);
  CHECK_REGIONS(regions, live);
}

/** gdb 16 and later. */
static void mappings_in_a_table(void **state) {
  (void)state;
  CHECK_REGIONS(
      regions_of(
          "process 4711\n"
          "Mapped address spaces:\n"
          "\n"
          "Start Addr         End Addr           Size               Offset     "
          "        Perms File \n"
          "0x0000000000400000 0x000000000041f000 0x1f000            0x0        "
          "        r--p  /bin/my python \n"
          "0x000000000041f000 0x00000000006cf000 0x2b0000           0x1f000    "
          "        r-xp  /bin/my python \n"
          "0x0000000000941000 0x0000000000a7f000 0x13e000           0x540000   "
          "        rw-p  /bin/my python \n"
          "0x0000000000a7f000 0x0000000000ac4000 0x45000            0x0        "
          "        rw-p  \n"
          "0x000000000ce28000 0x000000000cec1000 0x99000            0x0        "
          "        rw-p  [heap] \n",
          false),
      live);
}

/** gdb 10 and 11: what may be written has to be guessed. */
static void mappings_without_modes(void **state) {
  (void)state;
  static const struct expected expected[] = {
      {0x400000, 0x41f000, 0, "/bin/python", false, FILE_FIRST},
      {0x41f000, 0x6cf000, 0x1f000, "/bin/python", true, READER},
      {0xa7f000, 0xac4000, 0, NULL, true, READER},
      {0xce28000, 0xcec1000, 0, NULL, true, READER},
  };

  CHECK_REGIONS(
      regions_of("          Start Addr           End Addr       Size     "
                 "Offset objfile\n"
                 "            0x400000           0x41f000    0x1f000        "
                 "0x0 /bin/python\n"
                 "            0x41f000           0x6cf000   0x2b0000    "
                 "0x1f000 /bin/python\n"
                 "            0xa7f000           0xac4000    0x45000        "
                 "0x0 \n"
                 "           0xce28000          0xcec1000    0x99000        "
                 "0x0 [heap]\n"
                 "      0x7f2073d9e000     0x7f2073df5000    0x57000        "
                 "0x0 /usr/lib/locale/C.utf8/LC_CTYPE\n"
                 "      0x7f2074116000     0x7f2074118000     0x2000        "
                 "0x0 [vdso]\n",
                 false),
      expected);
}

/** In the forms of core files, of gdbserver and of programs without threads. */
static void registers_of_threads(void **state) {
  (void)state;
  struct regions regions =
      regions_of("\n"
                 "Thread 1 (Thread 0x7f84ee3ff6c0 (LWP 4711) \"a (LWP 1)\"):\n"
                 "rax            0xfffffffffffffdfe  -514\n"
                 "rsp            0x7ffdea272bf0      0x7ffdea272bf0\n"
                 "eflags         0x246               [ PF ZF IF ]\n"
                 "\n"
                 "Thread 2 (Thread 4711.4712):\n"
                 "r15            0x10                16\n"
                 "\n"
                 "Thread 3 (process 4713):\n"
                 "rsp            0x20                0x20\n"
                 "\n"
                 "Thread 1 (Thread 0x7f84ee3ff6c0 (LWP 4711) \"a (LWP 1)\"):\n"
                 "fs_base        0x7f84ee3ff6c0      140208345118400\n"
                 "\n"
                 "Thread 3 (process 4713):\n"
                 "fs_base        0x30                48\n",
                 true);

  assert_int_equal(regions.thread_count, 3);
  assert_int_equal(regions.threads[0].id, 4711);
  assert_true(regions.threads[0].registers.rax == 0xfffffffffffffdfe);
  assert_true(regions.threads[0].registers.rsp == 0x7ffdea272bf0);
  assert_true(regions.threads[0].registers.fs_base == 0x7f84ee3ff6c0);
  assert_int_equal(regions.threads[1].id, 4712);
  assert_true(regions.threads[1].registers.r15 == 16);
  assert_true(regions.threads[1].registers.fs_base == 0);
  assert_int_equal(regions.threads[2].id, 4713);
  assert_true(regions.threads[2].registers.rsp == 32);
  assert_true(regions.threads[2].registers.fs_base == 48);
  regions_deinit(&regions);
}

/** Only what was saved is read through gdb. */
static void sections_of_a_core(void **state) {
  (void)state;
  static const struct expected expected[] = {
      {0x400000, 0x401000, 0, "/bin/python", false, READER},
      {0x401000, 0x41f000, 0x1000, "/bin/python", false, ONLY_FILE},
      {0x41f000, 0x6cf000, 0x1f000, "/bin/python", false, ONLY_FILE},
      {0x941000, 0x942000, 0x540000, "/bin/python", true, READER},
      {0x942000, 0x943000, 0, NULL, true, READER},
      {0xa7f000, 0xac4000, 0, NULL, true, READER},
  };
  struct regions regions = regions_of(
      "Exec file: `/bin/python', file type elf64-x86-64.\n"
      " [0]      0x00400318->0x00400334 at 0x00000318: load0 ALLOC LOAD "
      "HAS_CONTENTS\n"
      "Core file:\n"
      "    `/tmp/core', file type elf64-x86-64.\n"
      " [0]      0x00000000->0x00004dd0 at 0x00526698: note0 READONLY "
      "HAS_CONTENTS\n"
      " [1]      0x00400000->0x00401000 at 0x00000698: load1a ALLOC LOAD "
      "READONLY HAS_CONTENTS\n"
      " [2]      0x00401000->0x0041f000 at 0x00001698: load1b ALLOC READONLY\n"
      " [3]      0x0041f000->0x006cf000 at 0x00001698: load2 ALLOC READONLY "
      "CODE\n"
      " [10]     0x00a7f000->0x00ac4000 at 0x0015e698: load4 ALLOC LOAD "
      "HAS_CONTENTS\n"
      " [9]      0x00941000->0x00943000 at 0x00020698: load3 ALLOC LOAD "
      "HAS_CONTENTS\n"
      " [11]     0x00b00000->0x00c00000 at 0x0015e698: load5 ALLOC\n"
      "Mapped address spaces:\n"
      "\n"
      "          Start Addr           End Addr       Size     Offset objfile\n"
      "            0x400000           0x41f000    0x1f000        0x0 "
      "/bin/python\n"
      "            0x41f000           0x6cf000   0x2b0000    0x1f000 "
      "/bin/python\n"
      "            0x941000           0x942000     0x1000   0x540000 "
      "/bin/python\n",
      true);

  assert_int_equal(regions.entry, 0);
  CHECK_REGIONS(regions, expected);
}

static void senseless_regions_are_none(void **state) {
  (void)state;
  static const char text[] = "Core file: file type \n"
                             " [1] 0x5->0x4 at 0x0: load1 HAS_CONTENTS\n"
                             " [1] 0x4->0x5 at 0x0: note1 HAS_CONTENTS\n"
                             " [1] 0x4->0x5 at 0x0: load1 HAS_CONTENTSX\n"
                             " [1] 0x4->\n"
                             "0x2000 0x1000 0x1000 0x0 rw-p\n"
                             "0x1000 0x2000 0x9999 0x0 rw-p\n"
                             "0x1000 0x2000 0x1000\n"
                             "1000 2000 1000 0 rw-p\n"
                             " AT_ENTRY \n AT_ENTRY";

  for (int core = 0; core < 2; core++) {
    struct regions regions = regions_of(text, core);
    assert_int_equal(regions.count, 0);
    assert_int_equal(regions.entry, 0);
    regions_deinit(&regions);
    regions = regions_of("", core);
    assert_int_equal(regions.count, 0);
    regions_deinit(&regions);
  }
}

/* Requests ------------------------------------------------------------------ */

static bool read_request(struct request *request, const char *bytes,
                         size_t length) {
  int fd = file_with(bytes, length);
  bool understood = request_init(request, fd);

  close(fd);
  return understood;
}

#define READ_REQUEST(request, bytes)                                           \
  read_request(request, bytes, sizeof(bytes) - 1)

static void requests_are_taken_apart(void **state) {
  (void)state;
  struct request request;

  assert_true(READ_REQUEST(&request, "=/bin/muppy\0=filter\0=-limit\0=\"a b\"\0"
                                     "='c'\0='\0=\0=\"d'\0w\0\x50\0\0\0"));
  static const char *const expected[] = {"filter", "-limit", "a b", "c",
                                         "'",      "",       "\"d'"};
  assert_int_equal(request.argc, sizeof expected / sizeof *expected);
  for (int i = 0; i < request.argc; i++)
    assert_string_equal(request.argv[i], expected[i]);
  assert_null(request.argv[request.argc]);
  assert_int_equal(request.width, 80);
  request_deinit(&request);
}

static void unlimited_widths(void **state) {
  (void)state;
  struct request request;

  assert_true(READ_REQUEST(&request, "=m\0=info\0w\0\0\0\0\0"));
  assert_int_equal(request.width, 0);
  request_deinit(&request);
  assert_true(READ_REQUEST(&request, "=m\0=info\0w\0\xff\xff\xff\xff"));
  assert_int_equal(request.width, 0);
  request_deinit(&request);
}

static void broken_requests_are_refused(void **state) {
  (void)state;
  struct request request;

  assert_false(READ_REQUEST(&request, ""));
  assert_false(READ_REQUEST(&request, "=muppy\0"));
  assert_false(READ_REQUEST(&request, "=muppy\0=info"));
  assert_false(READ_REQUEST(&request, "=muppy\0=info\0w\0\0\0"));
  assert_false(READ_REQUEST(&request, "=muppy\0=info\0wide\0\0\0\0\0"));
  assert_false(READ_REQUEST(&request, "=muppy\0=info\0?\0"));
  assert_false(READ_REQUEST(&request, "=muppy\0=info\0\0"));
  assert_null(request.argv);
}

/* Scripts for gdb ----------------------------------------------------------- */

static char *echo_script(const char *text, size_t length) {
  char *script = NULL;
  size_t size;
  FILE *out = open_memstream(&script, &size);

  assert_non_null(out);
  response_echo(out, text, length);
  assert_int_equal(fclose(out), 0);
  return script;
}

/** What gdb prints for one escape; *AT is behind the backslash. */
static char unescape(const char **at) {
  char letter = *(*at)++;
  char code = 0;

  switch (letter) {
  case 'n':
    return '\n';
  case 't':
    return '\t';
  case '\\':
    return '\\';
  default:
    for ((*at)--; **at >= '0' && **at <= '7'; (*at)++)
      code = (char)(code * 8 + (**at - '0'));
    assert_true(code);
    return code;
  }
}

/** What gdb prints when it sources SCRIPT; counts its longest line. */
static char *sourced(const char *script, size_t *longest) {
  char *said = calloc(1, strlen(script) + 1), *end = said;

  assert_non_null(said);
  *longest = 0;
  while (*script) {
    const char *line_end = strchr(script, '\n');
    assert_non_null(line_end);
    size_t length = (size_t)(line_end - script);
    if (length > *longest)
      *longest = length;
    assert_memory_equal(script, "echo ", 5);
    script += 5;
    assert_true(*script != ' ' && *script != '\t');
    assert_true(line_end[-1] != ' ' && line_end[-1] != '\t');
    while (script < line_end) {
      char byte = *script++;
      *end++ = byte == '\\' ? unescape(&script) : byte;
    }
    script = line_end + 1;
  }
  return said;
}

static void check_echo(const char *text, const char *expected) {
  size_t longest;
  char *script = echo_script(text, strlen(text));
  char *said = sourced(script, &longest);

  assert_string_equal(said, expected);
  free(said);
  free(script);
}

static void text_is_echoed_as_it_is(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "plain\n",
      "  blanks before and behind  \n  \n",
      "no newline at the end",
      "\ttabs\t\n",
      "\\ \\n \\\\ backslashes \\\n",
      "$arg0 \"quotes\" 'of all' `kinds` # no comment %s\n",
      "Gr\u00f6\u00dfe \u4e2d\u6587 \U0001f600\n",
      "\n\n\n",
  };

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    check_echo(texts[i], texts[i]);
}

static void no_control_character_reaches_a_terminal(void **state) {
  (void)state;
  check_echo("\033[31m\a\r\x7f\n", "\\x1b[31m\\x07\\x0d\\x7f\n");
}

static void long_lines_are_cut_between_characters(void **state) {
  (void)state;
  enum {
    LENGTH = 100000
  };
  char *text = malloc(LENGTH + 1);
  size_t longest;

  assert_non_null(text);
  /* Characters of two bytes at odd places, with blanks where a cut may be. */
  for (size_t i = 0; i < LENGTH; i++)
    text[i] = i % 7 == 0   ? ' '
              : i % 7 == 1 ? '\xc3'
              : i % 7 == 2 ? '\xb6'
                           : 'x';
  text[LENGTH] = '\0';
  char *script = echo_script(text, LENGTH);
  char *said = sourced(script, &longest);
  assert_string_equal(said, text);
  assert_true(longest < 5000);
  for (const char *line = script; *line; line = strchr(line, '\n') + 1)
    assert_true((line[strlen("echo ")] & 0xc0) != 0x80);
  free(said);
  free(script);
  free(text);
}

static void reasons_cannot_be_commands(void **state) {
  (void)state;
  char script[1000] = "";
  FILE *out = fmemopen(script, sizeof script, "w");

  assert_non_null(out);
  response_failure(out, 3, "a\nshell b $arg0\033");
  fclose(out);
  assert_non_null(strstr(script, "set $muppy_status = 3\n"));
  assert_null(strstr(script, "\nshell"));
  assert_null(strstr(script, "$arg0"));
  assert_null(strchr(script, '\033'));
  assert_non_null(strstr(script, "\nend\nend\nend\n"));
}

static void expressions_stay_on_their_line(void **state) {
  (void)state;
  char script[1000] = "";
  FILE *out = fmemopen(script, sizeof script, "w");

  assert_non_null(out);
  response_evaluate(out, "self->a\nshell b");
  fclose(out);
  assert_non_null(strstr(script, " self->a shell b\nend\nend\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(core_and_files_are_found),
      cmocka_unit_test(processes_are_found),
      cmocka_unit_test(a_remote_program_is_neither),
      cmocka_unit_test(senseless_text_is_nothing),
      cmocka_unit_test(records_of_mi_are_understood),
      cmocka_unit_test(mappings_with_modes),
      cmocka_unit_test(mappings_in_a_table),
      cmocka_unit_test(mappings_without_modes),
      cmocka_unit_test(registers_of_threads),
      cmocka_unit_test(sections_of_a_core),
      cmocka_unit_test(senseless_regions_are_none),
      cmocka_unit_test(requests_are_taken_apart),
      cmocka_unit_test(unlimited_widths),
      cmocka_unit_test(broken_requests_are_refused),
      cmocka_unit_test(text_is_echoed_as_it_is),
      cmocka_unit_test(no_control_character_reaches_a_terminal),
      cmocka_unit_test(long_lines_are_cut_between_characters),
      cmocka_unit_test(reasons_cannot_be_commands),
      cmocka_unit_test(expressions_stay_on_their_line),
  };

  return cmocka_run_group_tests_name("gdb_text", tests, NULL, NULL);
}
