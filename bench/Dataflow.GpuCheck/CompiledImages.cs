using System.Reflection.PortableExecutable;

namespace Dataflow.GpuCheck;

/// <summary>
/// Which assemblies of a folder were compiled ahead. The bundle has all programs in one folder: an image that another program brought
/// without machine code would win unseen, and every command would begin with seconds in the just-in-time compiler.
/// </summary>
internal static class CompiledImages
{
    /// <summary>Whether a file is an assembly with machine code: its header of the runtime's points to a native one.</summary>
    public static bool IsCompiled(string file)
    {
        using var stream = File.OpenRead(file);
        using var image = new PEReader(stream);
        return image.HasMetadata && image.PEHeaders.CorHeader is { ManagedNativeHeaderDirectory.Size: > 0 };
    }

    /// <summary>`images FOLDER NAME...`: 0 where all that are named are compiled, else 1 and a line for each that is not.</summary>
    public static int Check(string folder, IReadOnlyList<string> names)
    {
        int wrong = 0;
        foreach (string name in names)
        {
            string file = Path.Combine(folder, name + ".dll");
            if (!File.Exists(file) || !IsCompiled(file))
            {
                Console.Error.WriteLine($"{name}.dll {(File.Exists(file) ? "has no machine code" : "is missing")} in {folder}");
                wrong++;
            }
        }

        Console.Out.WriteLine($"{names.Count - wrong} of {names.Count} assemblies are compiled ahead");
        return wrong == 0 ? 0 : 1;
    }
}
