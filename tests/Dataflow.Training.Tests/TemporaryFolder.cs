using System.Buffers.Binary;
using System.Text;

namespace Dataflow.Training.Tests;

/// <summary>A folder of a test's own, deleted with it.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-test-");

    /// <summary>A path in it.</summary>
    public string this[string name] => Path.Combine(_folder.FullName, name);

    /// <summary>Its own path.</summary>
    public string Root => _folder.FullName;

    /// <summary>Names of everything in it, hidden files too.</summary>
    public IEnumerable<string> Names =>
        Directory.GetFileSystemEntries(Root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

    /// <summary>Writes a file and gives its path.</summary>
    public string Put(string name, byte[] content)
    {
        File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <inheritdoc cref="Put(string, byte[])"/>
    public string Put(string name, string content) => Put(name, Encoding.UTF8.GetBytes(content));

    /// <summary>Writes 32-bit numbers.</summary>
    public string PutIds(string name, IEnumerable<uint> ids) => Put(name, [.. ids.SelectMany(BitConverter.GetBytes)]);

    /// <summary>Writes a safetensors file with the given JSON text and bytes of data.</summary>
    public string PutSafetensors(string name, string head, int dataBytes)
    {
        byte[] text = Encoding.UTF8.GetBytes(head);
        byte[] file = new byte[8 + text.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, text.Length);
        text.CopyTo(file, 8);
        return Put(name, file);
    }

    /// <inheritdoc/>
    public void Dispose() => _folder.Delete(recursive: true);
}
