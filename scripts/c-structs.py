"""For gdb: declares anew, in C, the structs that only C files of CPython define, from the debug information of a build.

    gdb -nx -batch -x scripts/c-structs.py -ex "python write(HEADERS_OBJECT, FILES, NAMES)"

Compiled behind CPython's headers for another kind of build (Py_GIL_DISABLED), the declarations have the places that the
structs have in such a build: their first members are structs of the headers, which differ between the kinds. FILES and
NAMES are lists in one string. Pointers become `void *`, other members unsigned integers or arrays of bytes of the
same size and alignment.
"""

import re

import gdb

# Members that only the other kind of build has: those of free-threaded 3.14 and later.
EXTRA = {"TaskObj": "uintptr_t task_tid;"}  # Modules/_asynciomodule.c


def known_types(headers):
    """The names by which the headers know structs and unions."""
    gdb.execute("file " + headers)
    known = set()
    for line in gdb.execute("info types", to_string=True).splitlines():
        found = re.match(r"(?:\d+:)?\s+(?:typedef (?:struct|union) .*?(\w+)|(struct \w+));$", line)
        if found:
            known.add(found.group(1) or found.group(2))
    return known


def find(name):
    for full in (name, "struct " + name):
        try:
            found = gdb.lookup_type(full)
        except gdb.error:
            continue
        if found.strip_typedefs().fields():
            return found
    return None


def declare(kind, name, known):
    """The declaration of a member of this type."""
    plain = kind.strip_typedefs()
    while kind.code == gdb.TYPE_CODE_TYPEDEF and kind.name not in known:
        kind = kind.target()
    if plain.code == gdb.TYPE_CODE_ARRAY:
        first, last = plain.range()
        return declare(plain.target(), "%s[%d]" % (name, last - first + 1), known)
    if plain.code == gdb.TYPE_CODE_PTR:
        return "void *%s;" % name
    if plain.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        if kind.code == gdb.TYPE_CODE_TYPEDEF:
            return "%s %s;" % (kind.name, name)
        if kind.name and "struct " + kind.name in known:
            return "struct %s %s;" % (kind.name, name)
        return "%s %s;" % (body(plain, known), name)
    if plain.sizeof in (1, 2, 4, 8):
        return "uint%d_t %s;" % (8 * plain.sizeof, name)
    return "_Alignas(%d) char %s[%d];" % (plain.alignof, name, plain.sizeof)


def body(kind, known):
    members = []
    for field in kind.fields():
        if field.bitsize:
            members.append("%s %s : %d;" % (field.type.strip_typedefs(), field.name, field.bitsize))
        else:
            members.append(declare(field.type, field.name or "", known))
    word = "struct" if kind.code == gdb.TYPE_CODE_STRUCT else "union"
    return "%s { %s }" % (word, " ".join(members))


def write(headers, files, names):
    known = known_types(headers)
    wanted = [name for name in names.split() if name not in known and "struct " + name not in known]
    for path in files.split():
        gdb.execute("file " + path)
        for name in list(wanted):
            found = find(name)
            if found:
                wanted.remove(name)
                declared = body(found.strip_typedefs(), known)
                if name in EXTRA:
                    declared = declared[:-1] + EXTRA[name] + " }"
                print("typedef %s %s; %s *unused_%s;" % (declared, name, name, name))
