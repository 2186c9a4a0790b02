using System.Buffers.Binary;

namespace Dataflow.Formats;

/// <summary>
/// How a GGUF type packs numbers: blocks of so many bytes that hold so many consecutive elements of a row. Arithmetic is in fp32, each
/// operation rounded in the order of its formula, so that all readers get the same bits.
/// </summary>
/// <param name="number">The type's number in files.</param>
/// <param name="name">Its name.</param>
/// <param name="values">Elements of a block.</param>
/// <param name="bytes">Bytes of a block.</param>
internal abstract class BlockFormat(uint number, string name, int values, int bytes)
{
    /// <summary>The type's number in files.</summary>
    public uint Number => number;

    /// <summary>The format's name of the type.</summary>
    public string Name => name;

    /// <summary>Elements of a block.</summary>
    public int Values => values;

    /// <summary>Bytes of a block.</summary>
    public int Bytes => bytes;

    /// <summary>Whether files can be written in it.</summary>
    public virtual bool CanQuantize => false;

    /// <summary>Numbers of whole blocks.</summary>
    public virtual void Dequantize(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        for (int block = 0; block < blocks.Length / Bytes; block++)
        {
            DequantizeBlock(blocks.Slice(block * Bytes, Bytes), values.Slice(block * Values, Values));
        }
    }

    /// <summary>Whole blocks of numbers.</summary>
    public virtual void Quantize(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        for (int block = 0; block < values.Length / Values; block++)
        {
            QuantizeBlock(values.Slice(block * Values, Values), blocks.Slice(block * Bytes, Bytes));
        }
    }

    /// <summary>Numbers of one block.</summary>
    protected virtual void DequantizeBlock(ReadOnlySpan<byte> block, Span<float> values) => throw new NotSupportedException();

    /// <summary>One block of numbers.</summary>
    protected virtual void QuantizeBlock(ReadOnlySpan<float> values, Span<byte> block) => throw new NotSupportedException();

    /// <summary>The fp16 at the start of some bytes.</summary>
    protected static float Half(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);
}
