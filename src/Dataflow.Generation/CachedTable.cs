using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow.Generation;

/// <summary>The table of a step that continues sequences (<see cref="ChunkTable"/>), token by token.</summary>
internal sealed class CachedTable
{
    private readonly int tokens;
    private readonly int[] windows;
    private readonly int[] table;
    private readonly int positionsArray;
    private readonly int rotaryArray;
    private readonly int rowsArray;
    private readonly bool countsPositions;
    private readonly List<RotarySetWriter> rotary = [];
    private int nextChunk;
    private CachedSequence? first;
    private readonly List<CachedSequence> given = []; // by token
    private readonly List<SequenceTokens> sequences = [];

    /// <summary>An empty one.</summary>
    public CachedTable(ModelConfig model, Geometry geometry)
    {
        tokens = geometry.ChunkTokens;
        windows = [.. ChunkTable.Windows(model)];
        countsPositions = model.LearnedPositions is not null;
        foreach (var kind in model.Kinds.DistinctBy(model.PositionsOf).Where(k => model.PositionsOf(k).DependOnLength))
        {
            rotary.Add(new RotarySetWriter(model, model.PositionsOf(kind), geometry, ChunkTable.RotarySets(model, geometry, kind)));
        }

        table = new int[checked((int)(ChunkTable.Size(model, geometry).Value / sizeof(int)))];
        positionsArray = ChunkTable.WindowsArray + windows.Length;
        rotaryArray = positionsArray + (countsPositions ? 2 : 0);
        rowsArray = rotaryArray + rotary.Count;
    }

    /// <summary>Tokens that it has.</summary>
    public int Count { get; private set; }

    /// <summary>How many of them have their logits asked for.</summary>
    public int Logits { get; private set; }

    /// <summary>The row of the first token where the others of its sequence follow it; null where there are yet others.</summary>
    public int? FirstRow { get; private set; }

    /// <summary>Whose tokens they are, those of each sequence as neighbours.</summary>
    public IReadOnlyList<SequenceTokens> Sequences => sequences;

    /// <summary>As the device reads it.</summary>
    public ReadOnlySpan<byte> Bytes => MemoryMarshal.AsBytes(table.AsSpan());

    /// <summary>Begins a step.</summary>
    public void Begin()
    {
        (Count, Logits, FirstRow, first) = (0, 0, null, null);
        given.Clear();
        sequences.Clear();
        rotary.ForEach(r => r.Begin());
        nextChunk++;
    }

    /// <summary>The sequences are without the tokens of a step that is not run.</summary>
    public void TakeBack()
    {
        foreach (var sequence in given)
        {
            sequence.Count--;
        }

        given.Clear();
    }

    /// <summary>Adds a token.</summary>
    /// <param name="sequence">The sequence that it continues.</param>
    /// <param name="position">Its place there.</param>
    /// <param name="id">The token.</param>
    /// <param name="wanted">Its logits are asked for.</param>
    public void Add(CachedSequence sequence, int position, int id, bool wanted)
    {
        int row = sequence.FirstRow + position, t = Count++;
        if (t > 0 && given[t - 1] == sequence)
        {
            sequences[^1] = sequences[^1] with { Count = sequences[^1].Count + 1 };
        }
        else
        {
            sequences.Add(new SequenceTokens(t, 1, sequence.FirstRow, position));
        }

        given.Add(sequence);
        first ??= sequence;
        FirstRow = t == 0 ? row : sequence == first && FirstRow + t == row ? FirstRow : null;
        Set(ChunkTable.IdsArray, t, id);
        Set(ChunkTable.TargetsArray, t, TokenTableWriter.NotCounted);
        Set(ChunkTable.FirstKeysArray, t, sequence.FirstRow);
        for (int w = 0; w < windows.Length; w++)
        {
            Set(ChunkTable.WindowsArray + w, t, Math.Max(sequence.FirstRow, row - windows[w] + 1));
        }

        if (countsPositions)
        {
            Set(positionsArray, t, position);
        }

        for (int r = 0; r < rotary.Count; r++)
        {
            Set(rotaryArray + r, t, rotary[r].SetOf(table, nextChunk, sequence.FirstRow, sequence.Length));
        }

        Set(rowsArray, t, row);
        Set(rowsArray + 1, t, t - position);
        if (wanted)
        {
            Set(rowsArray + 2, Logits++, t);
        }
    }

    private void Set(int array, int index, int value) => table[(array * tokens) + index] = value;
}
