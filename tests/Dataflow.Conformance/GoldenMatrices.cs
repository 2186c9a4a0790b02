using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// The matrices of a case of QLoRA as it has them: codes and scales that bitsandbytes made, read as bitsandbytes read them. Its kernel for
/// processors gives all blocks of a matrix the first one's scale where a row of 32 numbers is shorter than a block.
/// </summary>
/// <param name="folder">Of the case.</param>
internal sealed class GoldenMatrices(string folder) : IMatrixBytes
{
    private const int ShortRow = 32;
    private readonly SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "quantized.safetensors"));

    /// <inheritdoc/>
    public byte[] Read(BaseMatrix matrix)
    {
        string name = matrix.CheckpointName;
        var tensor = new Nf4Tensor(matrix.Matrix.Count, matrix.Matrix.Type == DType.Nf4Nested);
        byte[] stored = new byte[tensor.Length];
        var scales = MemoryMarshal.Cast<byte, float>(stored.AsSpan(0, (int)(tensor.IsNested ? tensor.CodesAt : tensor.PackedAt)));
        Bytes($"{name}.packed").CopyTo(stored.AsSpan((int)tensor.PackedAt));
        if (tensor.IsNested)
        {
            scales[0] = Numbers($"{name}.absmax_offset").Single();
            Numbers($"{name}.absmax_scale").CopyTo(scales[1..]);
            Bytes($"{name}.absmax_codes").CopyTo(stored.AsSpan((int)tensor.CodesAt));
        }
        else
        {
            Numbers($"{name}.absmax").CopyTo(scales);
        }

        if (matrix.Matrix.Tensor.Columns == ShortRow)
        {
            if (tensor.IsNested)
            {
                stored.AsSpan((int)tensor.CodesAt, (int)tensor.Blocks).Fill(stored[tensor.CodesAt]);
            }
            else
            {
                scales.Fill(scales[0]);
            }
        }

        return stored;
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private float[] Numbers(string tensor) => [.. MemoryMarshal.Cast<byte, float>(Bytes(tensor))];

    private byte[] Bytes(string tensor)
    {
        var found = file.Find(tensor)!;
        byte[] bytes = new byte[found.Count * found.Type.Size()];
        found.ReadElements(0, bytes, found.Type == StoredType.U8 ? DType.UInt8 : DType.Float32);
        return bytes;
    }
}
