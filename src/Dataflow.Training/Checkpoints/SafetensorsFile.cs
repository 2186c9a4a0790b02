namespace Dataflow.Training;

/// <summary>An open safetensors file of any length. Only its head is in memory; tensors are read where they lie.</summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly ReadOnlyFile _file;
    private readonly Dictionary<string, StoredTensor> _byName;

    private SafetensorsFile(ReadOnlyFile file, SafetensorsHeader header)
    {
        _file = file;
        Metadata = header.Metadata;
        Tensors = [.. header.Entries.Select(e => new StoredTensor(file, e.Name, e.Shape, e.Type, e.Offset, e.Count))];
        _byName = Tensors.ToDictionary(t => t.Name);
    }

    /// <summary>As the user gave it.</summary>
    public string Path => _file.Path;

    /// <summary>The free text of the file's head.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>In the order of their data.</summary>
    public IReadOnlyList<StoredTensor> Tensors { get; }

    /// <summary>The tensor of that name, or null.</summary>
    public StoredTensor? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Opens a file and checks its head, and that its tensors exactly fill it.</summary>
    /// <exception cref="Dataflow.Model.UserErrorException">No such file, not readable, not a safetensors file, or damaged.</exception>
    public static SafetensorsFile Open(string path) => Of(ReadOnlyFile.Open(path));

    /// <summary>An open file, which is closed with this, or now if it is no such file.</summary>
    internal static SafetensorsFile Of(ReadOnlyFile file)
    {
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
