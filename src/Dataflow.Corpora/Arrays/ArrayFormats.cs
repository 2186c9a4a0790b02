using System.Buffers.Binary;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Corpora;

/// <summary>
/// Files of token ids that other programs write, told by what they say of themselves: llm.c's header, Megatron's index, datatrove's
/// metadata, NumPy's header. Raw numbers say nothing: their type is the caller's to name.
/// </summary>
public static class ArrayFormats
{
    private const int LlmcHeader = 256 * sizeof(int);
    private const int LlmcNarrow = 20240520, LlmcWide = 20240801;

    /// <summary>The documents of a file.</summary>
    /// <param name="path">The ids' file; Megatron's two files may be named by what they have in common.</param>
    /// <param name="raw">The type of raw numbers; null: the file is to say it.</param>
    /// <returns>Null if it says nothing of itself and no type was named.</returns>
    /// <exception cref="UserErrorException">It is damaged, or contradicts the type that was named.</exception>
    public static ArrayDocuments? Open(string path, IdType? raw)
    {
        string ids = File.Exists(path) ? path.EndsWith(".idx", StringComparison.Ordinal) ? Path.ChangeExtension(path, ".bin") : path
            : File.Exists(path + ".bin") && File.Exists(path + ".idx") ? path + ".bin" : path;
        using var file = ReadOnlyFile.Open(ids);
        byte[] head = new byte[(int)Math.Min(LlmcHeader, file.Length)];
        file.Read(0, head);
        string index = Path.ChangeExtension(ids, ".idx");
        var layout = NumPyHeader.IsOne(head) ? NumPyHeader.Read(file, head)
            : ids.EndsWith(".ds", StringComparison.Ordinal) || File.Exists(ids + ".metadata") ? Datatrove.Read(file)
            : ids.EndsWith(".bin", StringComparison.Ordinal) && File.Exists(index) ? Megatron.Read(file, index)
            : IsLlmc(head) ? Llmc(file, head)
            : raw is { } type ? Raw(file, type)
            : null;
        if (layout is null)
        {
            return null;
        }

        return raw is null || raw == layout.Type ? ArrayDocuments.Open(ids, layout)
            : throw new UserErrorException(
                $"{path} says of itself that its ids are {layout.Type.Name()} ({layout.Format}), and --id-type says {raw.Value.Name()}; "
                    + "leave --id-type out");
    }

    private static bool IsLlmc(byte[] head) => head.Length == LlmcHeader
        && (BinaryPrimitives.ReadInt32LittleEndian(head), BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(4)))
            is (LlmcNarrow, 1) or (LlmcWide, 7);

    private static ArrayLayout Llmc(ReadOnlyFile file, byte[] head)
    {
        var type = BinaryPrimitives.ReadInt32LittleEndian(head) == LlmcNarrow ? IdType.UInt16 : IdType.UInt32;
        long tokens = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(8));
        return LlmcHeader + (tokens * type.Size()) == file.Length
            ? new ArrayLayout("a shard of llm.c", type, LlmcHeader, tokens, null)
            : throw new UserErrorException(
                $"{file.Path} has {file.Length} bytes, and its header (llm.c) speaks of {tokens} tokens of {type.Name()}: it was cut short "
                    + "or is no such file");
    }

    private static ArrayLayout Raw(ReadOnlyFile file, IdType type) => file.Length % type.Size() == 0
        ? new ArrayLayout("raw numbers", type, 0, file.Length / type.Size(), null)
        : throw new UserErrorException(
            $"{file.Path} has {file.Length} bytes, which is no multiple of the {type.Size()} of {type.Name()}: it was cut short, or is of "
                + "another type");
}
