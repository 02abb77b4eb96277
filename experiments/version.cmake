# Writes OUTPUT, which defines kVersion: VERSION and, in a git checkout, the commit.
# Run at every build; a file that would not change keeps its date.
set(commit "")
find_program(GIT git)
if(GIT AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude *
                  OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(described)
    set(commit " (${described})")
  endif()
endif()
set(text "#include \"cograd/experiments/console/version.h\"\n\nconst char* const cograd::kVersion = \"${VERSION}${commit}\";\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUTPUT} "${text}")
endif()
