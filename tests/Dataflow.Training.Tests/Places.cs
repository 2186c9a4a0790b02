using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>The golden files, wherever the tests run from.</summary>
internal static class Golden
{
    /// <summary>tests/golden of the repository.</summary>
    public static string Root { get; } = Path.Combine(FindRoot(), "tests", "golden");

    /// <summary>All cases.</summary>
    public static TheoryData<string> Cases =>
        new(Directory.GetDirectories(Root).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));

    /// <summary>A case's folder.</summary>
    public static string Folder(string name) => Path.Combine(Root, name);

    /// <summary>A number of a case's expected.json.</summary>
    public static int Expected(string name, string key)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder(name), "expected.json")));
        return document.RootElement.GetProperty(key).GetInt32();
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Dataflow.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("the tests must run from inside the repository");
    }
}

/// <summary>A folder of a test's own, deleted with it.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-test-");

    /// <summary>A path in it.</summary>
    public string this[string name] => Path.Combine(_folder.FullName, name);

    /// <summary>Its own path.</summary>
    public string Root => _folder.FullName;

    /// <summary>Names of everything in it, hidden files too.</summary>
    public IEnumerable<string> Names => Directory.GetFileSystemEntries(Root).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal);

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

/// <summary>Expectations of messages for users.</summary>
internal static class UserErrors
{
    /// <summary>The message of the user error that an action must end in.</summary>
    public static string Message(Action action)
    {
        string message = Assert.Throws<UserErrorException>(action).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
