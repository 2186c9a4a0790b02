using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Numbers of matrices that are stored in a type of their own, to and from their bytes.</summary>
internal static class MatrixStorage
{
    /// <summary>A multiple of every type's block.</summary>
    private const int PieceElements = 1 << 18;

    /// <summary>The bytes of a matrix, from its values in fp32.</summary>
    /// <param name="matrix">Which.</param>
    /// <param name="read">Fills numbers from one of the matrix's on; called by any number of threads.</param>
    public static byte[] Store(StoredMatrix matrix, Action<long, Span<float>> read)
    {
        byte[] stored = new byte[matrix.Size.Value];
        Nf4Tensor tensor = new(matrix.Count, matrix.Type == DType.Nf4Nested);
        float[] scales = new float[matrix.Type.IsByTensor() ? tensor.Blocks : 0];
        int pieces = (int)((matrix.Count + PieceElements - 1) / PieceElements);
        Parallel.For(0, pieces, () => new float[PieceElements], (piece, _, staging) =>
        {
            long first = (long)piece * PieceElements;
            var values = staging.AsSpan(0, (int)Math.Min(PieceElements, matrix.Count - first));
            read(first, values);
            if (matrix.Type.IsByTensor())
            {
                tensor.Pack(first, values, stored.AsSpan((int)tensor.PackedAt), scales);
            }
            else
            {
                var bytes = stored.AsSpan((int)matrix.Type.SizeOf(first).Value, (int)matrix.Type.SizeOf(values.Length).Value);
                ElementConversion.Convert(MemoryMarshal.AsBytes(values), StoredType.F32, bytes, matrix.Type);
            }

            return staging;
        }, _ => { });
        if (matrix.Type.IsByTensor())
        {
            tensor.StoreScales(stored, scales);
        }

        return stored;
    }

    /// <summary>Reads consecutive numbers, in fp32.</summary>
    /// <param name="stored">All bytes of the matrix.</param>
    /// <param name="matrix">Which.</param>
    /// <param name="first">The first number.</param>
    /// <param name="values">Overwritten; its length says how many.</param>
    public static void Load(ReadOnlySpan<byte> stored, StoredMatrix matrix, long first, Span<float> values)
    {
        if (matrix.Type.IsByTensor())
        {
            new Nf4Tensor(matrix.Count, matrix.Type == DType.Nf4Nested).Load(stored, first, values);
            return;
        }

        int block = matrix.Type.BlockElements(), before = (int)(first % block);
        long begin = first - before;
        float[] whole = new float[before + values.Length];
        ElementConversion.Convert(
            stored[(int)matrix.Type.SizeOf(begin).Value..][..(int)matrix.Type.SizeOf(whole.Length).Value],
            matrix.Type,
            MemoryMarshal.AsBytes(whole.AsSpan()),
            DType.Float32);
        whole.AsSpan(before).CopyTo(values);
    }
}
