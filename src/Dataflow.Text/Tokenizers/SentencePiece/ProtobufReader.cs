using System.Buffers.Binary;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>The fields of one message in the wire format of Protocol Buffers, one after the other.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> rest = rest;

    /// <summary>The number of the field that was read.</summary>
    public int Field { get; private set; }

    /// <summary>Its value, where that is a number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its bytes, where it has a length.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Its number as one in 32 bits with a sign.</summary>
    public readonly int Signed => (int)(long)Number;

    /// <summary>Whether its number is not 0.</summary>
    public readonly bool Flag => Number != 0;

    /// <summary>Its number as a float.</summary>
    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)Number);

    /// <summary>Its bytes as text.</summary>
    public readonly string Text => System.Text.Unicode.Utf8.IsValid(Bytes) ? Encoding.UTF8.GetString(Bytes)
        : throw Damaged("has a text that is no UTF-8");

    /// <summary>Reads the next field; false at the end.</summary>
    public bool Next()
    {
        if (rest.IsEmpty)
        {
            return false;
        }

        ulong tag = Variable();
        Field = (int)(tag >> 3);
        Number = 0;
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                Number = Variable();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                Bytes = Take(Variable());
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw Damaged("has a field of a kind that there is not");
        }

        return Field > 0 ? true : throw Damaged("has a field without a number");
    }

    /// <summary>What to say of a message that is none.</summary>
    public static UserErrorException Damaged(string how) => new($"it is no SentencePiece model, or a damaged one: it {how}");

    private ulong Variable()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Damaged("has a number that does not end");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)rest.Length)
        {
            throw Damaged("ends in the middle");
        }

        var taken = rest[..(int)count];
        rest = rest[(int)count..];
        return taken;
    }
}
