# SPDX-License-Identifier: GPL-3.0-or-later

# MUPPY_C11
# ---------
# Asks for C11 with GNU extensions.  AC_PROG_CC of autoconf 2.70 and later has
# chosen a standard already, 2.69 has not; neither goes beyond the default.
AC_DEFUN([MUPPY_C11],
[AC_MSG_CHECKING([for C11])
AC_COMPILE_IFELSE(
  [AC_LANG_SOURCE([[
    _Static_assert(sizeof(void *) == 8, "a 64-bit system");
    #if __STDC_VERSION__ < 201112L
    #error older than C11
    #endif
  ]])],
  [AC_MSG_RESULT([yes])],
  [AC_MSG_RESULT([no])
   AC_MSG_ERROR([a C11 compiler for a 64-bit system is needed])])
])

# MUPPY_CFLAG(FLAG)
# -----------------
# Adds FLAG to WARNING_CFLAGS when the compiler takes it.  clang accepts unknown
# -W flags with a warning, so warnings are errors in the test; a -Wno- flag is
# tested by its positive form, as gcc accepts any -Wno-.
AC_DEFUN([MUPPY_CFLAG],
[AC_REQUIRE([AC_PROG_CC])
AC_MSG_CHECKING([whether $CC takes $1])
muppy_saved_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS -Werror m4_bpatsubst([$1], [^-Wno-], [-W])"
AC_COMPILE_IFELSE([AC_LANG_SOURCE([[extern int muppy; int muppy;]])],
  [AC_MSG_RESULT([yes])
   WARNING_CFLAGS="$WARNING_CFLAGS $1"],
  [AC_MSG_RESULT([no])])
CFLAGS=$muppy_saved_CFLAGS
AC_SUBST([WARNING_CFLAGS])
])

# MUPPY_SANITIZER(NAME, FLAG, TEXT)
# ---------------------------------
# --enable-NAME: build with -fsanitize=FLAG.  The flags go to SANITIZER_CFLAGS,
# not to CFLAGS, because a sanitized muppy.so cannot be loaded into gdb.
AC_DEFUN([MUPPY_SANITIZER],
[AC_ARG_ENABLE([$1],
  [AS_HELP_STRING([--enable-$1], [build with $3])])
AS_VAR_IF([enable_$1], [yes],
  [AC_MSG_CHECKING([whether $CC links with -fsanitize=$2])
   muppy_saved_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS -fsanitize=$2"
   AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
     [AC_MSG_RESULT([yes])
      SANITIZER_CFLAGS="$SANITIZER_CFLAGS -fsanitize=$2 -fno-omit-frame-pointer"],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([--enable-$1: $CC cannot link with -fsanitize=$2])])
   CFLAGS=$muppy_saved_CFLAGS])
AC_SUBST([SANITIZER_CFLAGS])
])
