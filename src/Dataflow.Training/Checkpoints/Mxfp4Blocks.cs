using System.Buffers;
using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// Matrices of experts as the published gpt-oss stores them, in MXFP4: NAME_blocks [experts, out, groups, 16], two codes a byte, the lower
/// four bits first, and NAME_scales [experts, out, groups], each a power of two for 32 codes. What they stand for is NAME [experts, in,
/// out], the other way round than they lie.
/// </summary>
internal sealed class Mxfp4Blocks
{
    private const string BlocksEnding = "_blocks";
    private const string ScalesEnding = "_scales";
    private const int BlockCodes = 32;
    private const int ScaleBias = 127;
    private const int PieceBlocks = 1 << 12;

    // By code: a sign, two bits of exponent and one of mantissa.
    private static readonly float[] s_values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    private readonly StoredTensor _blocks;
    private readonly StoredTensor _scales;

    private Mxfp4Blocks(StoredTensor blocks, StoredTensor scales) => (_blocks, _scales) = (blocks, scales);

    /// <summary>Puts the numbers that codes stand for in the place of codes and scales.</summary>
    /// <param name="tensors">All of a checkpoint, by name.</param>
    /// <returns>By the tensor of the codes, what stands in its place.</returns>
    public static Dictionary<StoredTensor, StoredTensor> Join(Dictionary<string, StoredTensor> tensors)
    {
        var joined = new Dictionary<StoredTensor, StoredTensor>();
        foreach (var blocks in tensors.Values.Where(t => t.Name.EndsWith(BlocksEnding, StringComparison.Ordinal)).ToList())
        {
            string name = blocks.Name[..^BlocksEnding.Length];
            if (tensors.TryGetValue(name + ScalesEnding, out var scales) && Fit(blocks, scales) && !tensors.ContainsKey(name))
            {
                long[] shape = [blocks.Shape[0], blocks.Shape[2] * BlockCodes, blocks.Shape[1]];
                joined[blocks] = tensors[name] = new StoredTensor(blocks, name, shape, new(blocks, scales));
                tensors.Remove(blocks.Name);
                tensors.Remove(scales.Name);
            }
        }

        return joined;
    }

    /// <summary>A part of a parameter as it lies here: rows first, one matrix after the other.</summary>
    public static WeightPart AsStored(WeightPart part) =>
        part with { IsTransposed = false, Shape = [part.Shape[0], part.Shape[2], part.Shape[1]] };

    /// <summary>Reads numbers in the order in which they lie: [experts, out, in].</summary>
    /// <param name="first">Of all.</param>
    /// <param name="destination">Whole elements.</param>
    /// <param name="type">Of these, fp32 or bf16; all numbers but the smallest are exact in both.</param>
    public void Read(long first, Span<byte> destination, DType type)
    {
        int size = (int)type.Size();
        byte[] bytes = ArrayPool<byte>.Shared.Rent(PieceBlocks * ((BlockCodes / 2) + 1));
        float[] numbers = ArrayPool<float>.Shared.Rent(PieceBlocks * BlockCodes);
        try
        {
            while (destination.Length > 0)
            {
                var (block, within) = Math.DivRem(first, BlockCodes);
                int wanted = (int)Math.Min(destination.Length / size, (PieceBlocks * BlockCodes) - within);
                int count = (int)((within + wanted + BlockCodes - 1) / BlockCodes);
                Span<byte> scales = bytes.AsSpan(0, count), codes = bytes.AsSpan(PieceBlocks, count * BlockCodes / 2);
                _scales.ReadStored(block, scales);
                _blocks.ReadStored(block * BlockCodes / 2, codes);
                Decode(codes, scales, numbers);
                var run = numbers.AsSpan((int)within, wanted);
                ElementConversion.Convert(MemoryMarshal.AsBytes(run), StoredType.F32, destination[..(wanted * size)], type);
                destination = destination[(wanted * size)..];
                first += wanted;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            ArrayPool<float>.Shared.Return(numbers);
        }
    }

    /// <summary>
    /// The scale of all ones is a power of two as the others are, beyond which there is infinity; the least gives denormals.
    /// </summary>
    private static void Decode(ReadOnlySpan<byte> codes, ReadOnlySpan<byte> scales, Span<float> numbers)
    {
        Span<float> table = stackalloc float[s_values.Length];
        for (int b = 0; b < scales.Length; b++)
        {
            for (int code = 0; code < table.Length; code++)
            {
                table[code] = MathF.ScaleB(s_values[code], scales[b] - ScaleBias);
            }

            for (int i = 0; i < BlockCodes / 2; i++)
            {
                byte pair = codes[(b * BlockCodes / 2) + i];
                numbers[(b * BlockCodes) + (2 * i)] = table[pair & 0xF];
                numbers[(b * BlockCodes) + (2 * i) + 1] = table[pair >> 4];
            }
        }
    }

    private static bool Fit(StoredTensor blocks, StoredTensor scales) =>
        blocks is { Type: StoredType.U8, Shape: [_, _, _, BlockCodes / 2] }
        && scales.Type == StoredType.U8
        && scales.Shape.SequenceEqual(blocks.Shape.Take(3));
}
