using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>One file of kernels with all that it includes.</summary>
/// <param name="Name">"rms_norm".</param>
/// <param name="Text">Of the .cu file.</param>
/// <param name="Headers">Texts by the names that sources include them by, in the names' order.</param>
/// <param name="Hash">Of all that the compiled code follows from but the compiler: texts and options.</param>
public sealed record KernelSource(string Name, string Text, IReadOnlyList<KeyValuePair<string, string>> Headers, string Hash);

/// <summary>The folder `kernels`: read once, hashed, so that an image can be held against its source.</summary>
public sealed partial class KernelSources
{
    private readonly IReadOnlyDictionary<string, KernelSource> all;

    private KernelSources(string folder, IReadOnlyDictionary<string, KernelSource> all) => (Folder, this.all) = (folder, all);

    /// <summary>Where they lie.</summary>
    public string Folder { get; }

    /// <summary>All files of kernels, by name.</summary>
    public IReadOnlyList<KernelSource> All => [.. all.Values.OrderBy(k => k.Name, StringComparer.Ordinal)];

    /// <summary>Reads the folder's .cu and .cuh files.</summary>
    /// <exception cref="MachineException">They cannot be read, or one includes what is not there.</exception>
    public static KernelSources Read(string folder)
    {
        try
        {
            var headers = Directory.GetFiles(folder, "*.cuh").ToDictionary(f => Path.GetFileName(f), File.ReadAllText);
            var kernels = Directory
                .GetFiles(folder, "*.cu")
                .Select(f => From(Path.GetFileNameWithoutExtension(f), File.ReadAllText(f), headers))
                .ToDictionary(k => k.Name);
            return new KernelSources(folder, kernels);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MachineException($"the kernels' sources in {folder} cannot be read: {e.Message}");
        }
    }

    /// <summary>A source from texts.</summary>
    public static KernelSource From(string name, string text, IReadOnlyDictionary<string, string> headers)
    {
        var included = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Include(name + ".cu", text);
        var hashed = new StringBuilder().AppendJoin(' ', KernelCompiler.Options).Append('\0').Append(text);
        foreach (var (header, content) in included)
        {
            hashed = hashed.Append('\0').Append(header).Append('\0').Append(content);
        }

        return new KernelSource(
            name,
            text,
            [.. included],
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hashed.ToString())))[..16]
        );

        // What stands under DATAFLOW_EMULATED is for g++ alone, and not among the headers here: only those that are count.
        void Include(string by, string content)
        {
            foreach (string header in IncludeLine().Matches(content).Select(m => m.Groups[1].Value))
            {
                if (headers.TryGetValue(header, out string? more) && included.TryAdd(header, more))
                {
                    Include(header, more);
                }
            }
        }
    }

    /// <summary>A file of kernels by its name; null if there is none.</summary>
    public KernelSource? Find(string kernel) => all.GetValueOrDefault(kernel);

    [GeneratedRegex(@"^\s*#\s*include\s*""([^""]+)""", RegexOptions.Multiline)]
    private static partial Regex IncludeLine();
}
