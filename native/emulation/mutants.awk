# A kernel's source with the headers that have barriers in place of their includes, each once, so that one barrier of them can be taken out.
function put(file, line, name)
{
    while ((getline line < file) > 0)
    {
        if (line ~ /^#include "(element_update|qk_norm_rope_[a-z]+)\.cuh"/)
        {
            name = line
            gsub(/^#include "|"$/, "", name)
            if (!(name in seen))
            {
                seen[name] = 1
                put(folder "/" name)
            }
        }
        else if (line !~ /^#pragma once/)
        {
            print line
        }
    }

    close(file)
}

BEGIN { put(source) }
