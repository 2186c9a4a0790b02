namespace Dataflow.Text.Tokenizers;

/// <summary>
/// SentencePiece's byte-pair encoding: of all neighbours that make a piece, those of the greatest score merge first, and of equals the
/// leftmost. A piece that is not used is taken apart again in the end.
/// </summary>
internal sealed class ScoredMerges(SentencePieceVocabulary vocabulary) : ISentencePieceModel
{
    /// <inheritdoc/>
    public void Split(string text, List<(PieceRange Range, int Id)> pieces) => new Run(vocabulary, text).Split(pieces);

    private sealed class Run(SentencePieceVocabulary vocabulary, string text)
    {
        private readonly PriorityQueue<(int Left, int Right, int Length), (float Score, int Left)> queue = new(ByScore.Instance);
        private readonly List<(int Start, int Length, int Previous, int Next, bool IsFrozen)> symbols = [];
        private readonly Dictionary<string, int> halves = new(StringComparer.Ordinal);

        public void Split(List<(PieceRange Range, int Id)> pieces)
        {
            for (int at = 0; at < text.Length;)
            {
                int length = vocabulary.UserDefinedAt(text.AsSpan(at));
                bool isFrozen = length > 0;
                if (!isFrozen)
                {
                    CodePoints.At(text, at, out length);
                }

                int next = at + length == text.Length ? -1 : symbols.Count + 1;
                symbols.Add((at, length, symbols.Count - 1, next, isFrozen));
                at += length;
            }

            for (int i = 1; i < symbols.Count; i++)
            {
                Offer(i - 1, i);
            }

            while (queue.TryDequeue(out var top, out _))
            {
                Merge(top.Left, top.Right, top.Length);
            }

            for (int i = 0; i >= 0 && i < symbols.Count; i = symbols[i].Next)
            {
                Resegment(symbols[i].Start, symbols[i].Length, pieces);
            }
        }

        private void Merge(int left, int right, int length)
        {
            var (l, r) = (symbols[left], symbols[right]);
            if (l.Length == 0 || r.Length == 0 || l.Length + r.Length != length)
            {
                return;
            }

            symbols[left] = l with { Length = length, Next = r.Next };
            if (r.Next >= 0)
            {
                symbols[r.Next] = symbols[r.Next] with { Previous = left };
            }

            symbols[right] = r with { Length = 0 };
            Offer(l.Previous, left);
            Offer(left, r.Next);
        }

        private void Offer(int left, int right)
        {
            if (left < 0 || right < 0 || symbols[left].IsFrozen || symbols[right].IsFrozen)
            {
                return;
            }

            var (start, length) = (symbols[left].Start, symbols[left].Length + symbols[right].Length);
            int id = vocabulary.TextPiece(text.AsSpan(start, length));
            if (id < 0)
            {
                return;
            }

            queue.Enqueue((left, right, length), (vocabulary.Score(id), left));
            if (vocabulary.Kind(id) == PieceKind.Unused)
            {
                halves[text.Substring(start, length)] = symbols[left].Length;
            }
        }

        private void Resegment(int start, int length, List<(PieceRange Range, int Id)> pieces)
        {
            // The library knows what a piece was made of by its text: of the same text the last pair counts.
            var open = new Stack<(int Start, int Length)>([(start, length)]);
            while (open.TryPop(out var part))
            {
                int id = vocabulary.IdOf(text.AsSpan(part.Start, part.Length));
                if (vocabulary.Kind(id) == PieceKind.Unused && Half(part) is var half and > 0)
                {
                    open.Push((part.Start + half, part.Length - half));
                    open.Push((part.Start, half));
                }
                else
                {
                    pieces.Add((new(part.Start, part.Start + part.Length), id));
                }
            }
        }

        private int Half((int Start, int Length) part) => halves.GetValueOrDefault(text.Substring(part.Start, part.Length));
    }

    private sealed class ByScore : IComparer<(float Score, int Left)>
    {
        public static ByScore Instance { get; } = new();

        public int Compare((float Score, int Left) x, (float Score, int Left) y) =>
            x.Score != y.Score ? y.Score.CompareTo(x.Score) : x.Left.CompareTo(y.Left);
    }
}
