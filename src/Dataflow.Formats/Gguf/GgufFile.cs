using System.Globalization;
using System.Text.RegularExpressions;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Formats;

/// <summary>
/// An open GGUF file, or a model in several (NAME-00001-of-00003.gguf), of any length. Only the heads are in memory, checked whole before
/// anything is used; tensors are read where they lie.
/// </summary>
public sealed partial class GgufFile : IDisposable
{
    private const string PartNumber = "split.no";
    private const string PartCount = "split.count";
    private const string TensorCount = "split.tensors.count";

    private readonly List<ReadOnlyFile> files;
    private readonly Dictionary<string, GgufTensor> byName;

    private GgufFile(string path, List<ReadOnlyFile> files, IReadOnlyList<GgufHeader> heads)
    {
        Path = path;
        this.files = files;
        Metadata = new GgufMetadata(path, heads[0].Values);
        Tensors = [.. heads.SelectMany(h => h.Tensors)];
        byName = new(StringComparer.Ordinal);
        foreach (var tensor in Tensors)
        {
            if (!byName.TryAdd(tensor.Name, tensor))
            {
                throw new UserErrorException($"{path}: two of its parts have a tensor named {GgufHeader.Shown(tensor.Name)}");
            }
        }
    }

    /// <summary>As the user gave it.</summary>
    public string Path { get; }

    /// <summary>Of the file; of several, that of the first.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>In the order of their data.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <summary>The tensor of that name, or null.</summary>
    public GgufTensor? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Opens a file with all its parts, whichever of them is named.</summary>
    /// <exception cref="UserErrorException">No such file, a part is missing, not a GGUF file, or damaged.</exception>
    public static GgufFile Open(string path)
    {
        var files = new List<ReadOnlyFile>();
        try
        {
            files.Add(ReadOnlyFile.Open(path));
            var head = GgufHeader.Read(files[0]);
            var (number, count) = Part(path, head);
            if (count == 1)
            {
                return new GgufFile(path, files, [head]);
            }

            var (stem, named) = Split(path, number, count);
            var heads = new GgufHeader[count];
            for (int i = 0; i < count; i++)
            {
                string part = string.Create(CultureInfo.InvariantCulture, $"{stem}-{i + 1:D5}-of-{count:D5}.gguf");
                heads[i] = i == named ? head : Read(part, files);
                CheckPart(i == named ? path : part, heads[i], i, count);
            }

            Check(path, heads);
            return new GgufFile(path, files, heads);
        }
        catch
        {
            files.ForEach(f => f.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => files.ForEach(f => f.Dispose());

    private static GgufHeader Read(string part, List<ReadOnlyFile> files)
    {
        files.Add(ReadOnlyFile.Open(part));
        return GgufHeader.Read(files[^1]);
    }

    private static (int Number, int Count) Part(string path, GgufHeader head)
    {
        var values = new GgufMetadata(path, head.Values);
        return ((int)(values.Whole(PartNumber) ?? 0), (int)(values.Whole(PartCount) ?? 1));
    }

    private static (string Stem, int Number) Split(string path, int number, int count)
    {
        var match = PartName().Match(path);
        return match.Success
            && int.Parse(match.Groups["count"].ValueSpan, CultureInfo.InvariantCulture) == count
            && int.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture) == number + 1
            ? (match.Groups["stem"].Value, number)
            : throw new UserErrorException(
                $"{path} says that it is part {number + 1} of {count}, and its name should end in "
                    + $"-{number + 1:D5}-of-{count:D5}.gguf to find the others");
    }

    private static void CheckPart(string path, GgufHeader head, int number, int count)
    {
        if (Part(path, head) is var found && found != (number, count))
        {
            throw new UserErrorException(
                $"{path} says that it is part {found.Number + 1} of {found.Count}, and its name that it is part {number + 1} of {count}");
        }
    }

    private static void Check(string path, GgufHeader[] heads)
    {
        long found = heads.Sum(h => (long)h.Tensors.Count);
        if (new GgufMetadata(path, heads[0].Values).Whole(TensorCount) is { } said && said != found)
        {
            throw new UserErrorException($"{path} says that its parts have {said} tensors, and they have {found}");
        }
    }

    [GeneratedRegex("^(?<stem>.*)-(?<number>[0-9]{5})-of-(?<count>[0-9]{5})\\.gguf$", RegexOptions.Singleline)]
    private static partial Regex PartName();
}
