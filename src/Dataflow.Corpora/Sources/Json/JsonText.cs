using System.Text;

namespace Dataflow.Corpora;

/// <summary>JSON put together from pieces of a record and from texts, with no copy between them and the string.</summary>
/// <param name="record">The record.</param>
internal ref struct JsonText(ReadOnlySpan<byte> record)
{
    private readonly List<Piece> _pieces = [];

    /// <summary>The record that pieces are of.</summary>
    public ReadOnlySpan<byte> Record { get; } = record;

    /// <summary>Adds a text.</summary>
    public readonly void Add(string text) => _pieces.Add(new Piece(text, 0, text.Length));

    /// <summary>Adds a value as it is written in the record.</summary>
    public readonly void Add(JsonValue value) => _pieces.Add(new Piece(null, value.Start, value.End));

    /// <summary>Adds another one of the same record without its first character, which is one byte.</summary>
    public readonly void AddWithoutFirst(JsonText other)
    {
        _pieces.Add(other._pieces[0] with { Start = other._pieces[0].Start + 1 });
        _pieces.AddRange(other._pieces[1..]);
    }

    /// <summary>Drops the last character, which is one byte.</summary>
    public readonly void DropLast() => _pieces[^1] = _pieces[^1] with { End = _pieces[^1].End - 1 };

    /// <inheritdoc/>
    public override readonly string ToString()
    {
        int length = 0;
        foreach (Piece piece in _pieces)
            length += piece.Text is null ? Encoding.UTF8.GetCharCount(Record[piece.Start..piece.End]) : piece.End - piece.Start;
        return string.Create(length, this, static (target, text) =>
        {
            foreach (Piece piece in text._pieces)
            {
                int written = piece.End - piece.Start;
                if (piece.Text is not null) piece.Text.AsSpan(piece.Start, written).CopyTo(target);
                else written = Encoding.UTF8.GetChars(text.Record[piece.Start..piece.End], target);
                target = target[written..];
            }
        });
    }

    private readonly record struct Piece(string? Text, int Start, int End);
}
