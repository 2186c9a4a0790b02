using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>What a tokenizer.model says.</summary>
internal sealed class SentencePieceFile
{
    private const int Unigram = 1;
    private const int Bpe = 2;

    private readonly List<(string Text, float Score, PieceKind Kind)> pieces = [];

    private SentencePieceFile()
    {
    }

    /// <summary>Pieces, whose places are their ids.</summary>
    public IReadOnlyList<(string Text, float Score, PieceKind Kind)> Pieces => pieces;

    /// <summary>Whether pieces merge by their scores; else the best split of a text is taken.</summary>
    public bool IsBpe { get; private set; }

    /// <summary>Whether what is not known becomes bytes.</summary>
    public bool FallsBackToBytes { get; private set; }

    /// <summary>Whether the space that is added stands at the end.</summary>
    public bool AddsSpaceAtEnd { get; private set; }

    /// <summary>How what is not known is shown.</summary>
    public string UnknownShown { get; private set; } = " \u2047 ";

    /// <summary>The id that texts begin with; -1 for none.</summary>
    public int Begin { get; private set; } = 1;

    /// <summary>The id that texts end with; -1 for none.</summary>
    public int End { get; private set; } = 2;

    /// <summary>What becomes of characters; null where they stay.</summary>
    public CharacterMap? Map { get; private set; }

    /// <summary>Whether a space is added.</summary>
    public bool AddsSpace { get; private set; } = true;

    /// <summary>Whether spaces at the ends are dropped and runs of them are one.</summary>
    public bool DropsSpaces { get; private set; } = true;

    /// <summary>Whether spaces are marks.</summary>
    public bool MarksSpaces { get; private set; } = true;

    /// <summary>The id of what is not known.</summary>
    public int Unknown { get; private set; } = -1;

    /// <summary>Reads a file.</summary>
    public static SentencePieceFile Read(ReadOnlySpan<byte> bytes)
    {
        var file = new SentencePieceFile();
        int kind = Unigram;
        var reader = new ProtobufReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    file.ReadPiece(reader.Bytes);
                    break;
                case 2:
                    kind = file.ReadTrainer(reader.Bytes, kind);
                    break;
                case 3:
                    file.ReadNormalizer(reader.Bytes);
                    break;
                case 5 when HasMap(reader.Bytes):
                    throw new UserErrorException("denormalizer_spec.precompiled_charsmap is not supported");
                default:
                    break;
            }
        }

        file.IsBpe = kind == Bpe;
        if (kind is not (Unigram or Bpe))
        {
            string name = kind switch { 3 => "WORD", 4 => "CHAR", _ => $"{kind}" };
            throw new UserErrorException($"trainer_spec.model_type {name} is not supported; UNIGRAM and BPE are");
        }

        file.Check();
        return file;
    }

    private static bool HasMap(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 2 && reader.Bytes.Length > 0)
            {
                return true;
            }
        }

        return false;
    }

    private void Check()
    {
        if (pieces.Count == 0)
        {
            throw ProtobufReader.Damaged("has no pieces");
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < pieces.Count; i++)
        {
            var (text, _, kind) = pieces[i];
            if (text.Length == 0 || !seen.Add(text))
            {
                throw ProtobufReader.Damaged(text.Length == 0 ? $"has a piece without text, of id {i}" : $"has the piece '{text}' twice");
            }

            Unknown = kind != PieceKind.Unknown ? Unknown
                : Unknown < 0 ? i
                : throw ProtobufReader.Damaged($"has two pieces for what is not known, of ids {Unknown} and {i}");
            if (kind == PieceKind.Byte && ByteFallbackDecoder.ByteOf(text) < 0)
            {
                throw ProtobufReader.Damaged($"has the piece '{text}' as a byte");
            }
        }

        if (Unknown < 0)
        {
            throw ProtobufReader.Damaged("has no piece for what is not known");
        }

        if (FallsBackToBytes && Enumerable.Range(0, 256).FirstOrDefault(b => !seen.Contains($"<0x{b:X2}>"), -1) is var missing and >= 0)
        {
            throw ProtobufReader.Damaged($"falls back to bytes and lacks the piece <0x{missing:X2}>");
        }
    }

    private void ReadPiece(ReadOnlySpan<byte> bytes)
    {
        string text = "";
        float score = 0;
        var kind = PieceKind.Normal;
        var reader = new ProtobufReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.Text;
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    kind = (PieceKind)reader.Signed;
                    break;
                default:
                    break;
            }
        }

        pieces.Add(Enum.IsDefined(kind) ? (text, score, kind) : throw ProtobufReader.Damaged($"has a piece of the kind {(int)kind}"));
    }

    private int ReadTrainer(ReadOnlySpan<byte> bytes, int kind)
    {
        var reader = new ProtobufReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    kind = reader.Signed;
                    break;
                case 24:
                    AddsSpaceAtEnd = reader.Flag;
                    break;
                case 35:
                    FallsBackToBytes = reader.Flag;
                    break;
                case 41:
                    Begin = reader.Signed;
                    break;
                case 42:
                    End = reader.Signed;
                    break;
                case 44:
                    UnknownShown = reader.Text;
                    break;
                default:
                    break;
            }
        }

        return kind;
    }

    private void ReadNormalizer(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2 when reader.Bytes.Length > 0:
                    Map = CharacterMap.Read(reader.Bytes, "normalizer_spec.precompiled_charsmap");
                    break;
                case 3:
                    AddsSpace = reader.Flag;
                    break;
                case 4:
                    DropsSpaces = reader.Flag;
                    break;
                case 5:
                    MarksSpaces = reader.Flag;
                    break;
                default:
                    break;
            }
        }
    }
}
