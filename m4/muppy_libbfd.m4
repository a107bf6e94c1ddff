# SPDX-License-Identifier: GPL-3.0-or-later

# MUPPY_LIBBFD
# ------------
# Sets BFD_LIBS to what links a program with libbfd.  The shared library needs
# nothing else; a static one needs what it was built with, and that differs
# between releases (libsframe since 2.40) and distributions.
AC_DEFUN([MUPPY_LIBBFD],
[AC_MSG_CHECKING([how to link with libbfd])
muppy_saved_LIBS=$LIBS
BFD_LIBS=
for muppy_libs in \
    "-lbfd" \
    "-lbfd -liberty" \
    "-lbfd -liberty -lz" \
    "-lbfd -liberty -lz -ldl" \
    "-lbfd -lsframe -liberty -lz" \
    "-lbfd -lsframe -liberty -lz -ldl" \
    "-lbfd -lsframe -liberty -lz -lzstd -ldl"; do
  LIBS="$muppy_libs $muppy_saved_LIBS"
  # bfd.h asks that PACKAGE be defined, as it is by config.h.
  AC_LINK_IFELSE(
    [AC_LANG_PROGRAM([[#include <bfd.h>]],
      [[bfd_init();
        bfd *file = bfd_openr("", 0);
        return file && bfd_check_format(file, bfd_object);]])],
    [BFD_LIBS=$muppy_libs
     break])
done
LIBS=$muppy_saved_LIBS
AS_IF([test -z "$BFD_LIBS"],
  [AC_MSG_RESULT([not found])
   AC_MSG_ERROR([libbfd not found: install binutils-dev and libiberty-dev (Debian, Ubuntu) or binutils-devel])])
AC_MSG_RESULT([$BFD_LIBS])
AC_SUBST([BFD_LIBS])
])
