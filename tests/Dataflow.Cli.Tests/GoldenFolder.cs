using System.Runtime.InteropServices;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli.Tests;

/// <summary>A folder of tests/golden, as an argument of the programs and as numbers to compare with.</summary>
internal sealed class GoldenFolder
{
    private readonly JsonElement expected;

    public GoldenFolder(string name)
    {
        Path = System.IO.Path.Combine(Programs.Root, "tests", "golden", name);
        expected = JsonDocument.Parse(File.ReadAllText(System.IO.Path.Combine(Path, "expected.json"))).RootElement;
    }

    public string Path { get; }

    public int Seqlen => expected.GetProperty("seqlen").GetInt32();

    public double Loss => expected.GetProperty("loss").GetDouble();

    public double[] Losses => [.. expected.GetProperty("losses_before_each_step").EnumerateArray().Select(l => l.GetDouble())];

    public string FileOf(string name) => System.IO.Path.Combine(Path, name);

    public static Dictionary<string, float[]> Tensors(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return file.Tensors.ToDictionary(t => t.Name, t =>
        {
            var values = new float[t.Count];
            t.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });
    }

    /// <summary>The largest |got - want| / |want| of all tensors; every tensor of one must be in the other.</summary>
    public static double Difference(Dictionary<string, float[]> got, Dictionary<string, float[]> want)
    {
        Assert.Equal(want.Keys.Order(StringComparer.Ordinal), got.Keys.Order(StringComparer.Ordinal));
        return want.Max(w => Math.Sqrt(
            w.Value.Zip(got[w.Key], (x, y) => ((double)x - y) * ((double)x - y)).Sum() / w.Value.Sum(x => (double)x * x)));
    }
}
