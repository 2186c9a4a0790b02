using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>A file of tests/golden-moments-8bit: what libraries make of given moments.</summary>
public sealed class MomentGolden(string name)
{
    /// <summary>Where the files lie.</summary>
    public static string Folder { get; } = Path.GetDirectoryName(new GoldenCase("llama-small").Folder)! + "-moments-8bit";

    /// <summary>A tensor of numbers.</summary>
    public float[] Floats(string tensor) => MemoryMarshal.Cast<byte, float>(Read(tensor, DType.Float32)).ToArray();

    /// <summary>A tensor of codes.</summary>
    public byte[] Codes(string tensor) => Read(tensor, DType.UInt8);

    private byte[] Read(string tensor, DType type)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, name + ".safetensors"));
        var found = file.Tensors.Single(t => t.Name == tensor);
        byte[] bytes = new byte[type.SizeOf(found.Count).Value];
        found.ReadElements(0, bytes, type);
        return bytes;
    }
}
