using System.IO.Compression;
using System.Text;
using Dataflow.Model;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Dataflow.Corpora.Tests;

/// <summary>A folder of sources, gone when the test is over.</summary>
public sealed class SourceFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dataflow-sources");

    public string Root => _folder.FullName;

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public static byte[] Gzip(byte[] bytes, CompressionLevel level = CompressionLevel.Fastest)
    {
        var target = new MemoryStream();
        using (var gzip = new GZipStream(target, level, leaveOpen: true)) gzip.Write(bytes);
        return target.ToArray();
    }

    public static byte[] Gzip(string text) => Gzip(Encoding.UTF8.GetBytes(text));

    public static byte[] Zstd(byte[] bytes)
    {
        using var compressor = new Compressor(3);
        compressor.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return compressor.Wrap(bytes).ToArray();
    }

    public static byte[] Zstd(string text) => Zstd(Encoding.UTF8.GetBytes(text));

    /// <summary>Everything that files hold.</summary>
    public static List<Passage> Read(SourceOptions options, params string[] patterns) => [.. SourceSet.Of(patterns, options).Read()];

    /// <summary>Everything that a file holds, which was written under a name.</summary>
    public List<Passage> Read(string name, string text, SourceOptions? options = null) =>
        Read(options ?? new SourceOptions(), Write(name, text));

    /// <summary>The sentence with which a file is refused.</summary>
    public string Refusal(string name, string text, SourceOptions? options = null) => Refusal(Write(name, text), options);

    /// <summary>The sentence with which a file is refused, which was written under a name.</summary>
    public string Refusal(string name, byte[] bytes, SourceOptions? options = null) => Refusal(Write(name, bytes), options);

    /// <summary>The sentence with which a source is refused: one, and not of another exception.</summary>
    public static string Refusal(string pattern, SourceOptions? options = null)
    {
        string message = Assert.Throws<UserErrorException>(() => SourceSet.Of([pattern], options).Read().Count()).Message;
        Assert.DoesNotContain('\n', message);
        Assert.False(message.EndsWith('.'), message);
        return message;
    }

    /// <summary>Reads from after each passage and expects what followed it.</summary>
    public static List<Passage> ReadFromEverywhere(SourceOptions options, params string[] patterns)
    {
        List<Passage> all = Read(options, patterns);
        for (int i = 0; i < all.Count; i++)
            Assert.Equal(all[(i + 1)..], SourceSet.Of(patterns, options).Read(all[i].Next));
        return all;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
