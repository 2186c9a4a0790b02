namespace Dataflow.Model;

/// <summary>
/// The rows of the embedding table and of the head's matrix, cut into blocks that are computed and travel one by one: equal numbers of
/// rows, a multiple of <see cref="RowAlignment"/> so that a block of any width starts aligned, and a shorter last one.
/// </summary>
/// <param name="VocabSize">Rows of the whole table.</param>
/// <param name="Wanted">Blocks asked for; <see cref="Count"/> is how many there are.</param>
public readonly record struct VocabularyRows(int VocabSize, int Wanted)
{
    /// <summary>Rows of a block are a multiple of this.</summary>
    internal const int RowAlignment = 128;

    /// <summary>Rows of every block but the last.</summary>
    public int PerBlock =>
        Wanted == 1
            ? VocabSize
            : Math.Min(VocabSize, checked((((VocabSize + Wanted - 1) / Wanted) + RowAlignment - 1) / RowAlignment * RowAlignment));

    /// <summary>
    /// How the same rows of another table are cut, so that its blocks are about as large: of wider rows they have fewer, but no block has
    /// fewer than the alignment.
    /// </summary>
    /// <param name="width">Elements of a row here.</param>
    /// <param name="other">Elements of a row there.</param>
    public VocabularyRows OfWidth(int width, int other)
    {
        long rows = Math.Max(1, (long)PerBlock * width / other / RowAlignment) * RowAlignment;
        return new VocabularyRows(VocabSize, Wanted == 1 ? 1 : (int)((VocabSize + rows - 1) / rows));
    }

    /// <summary>Blocks there are: fewer than asked for where rounding up leaves nothing for the last ones.</summary>
    public int Count => (VocabSize + PerBlock - 1) / PerBlock;

    /// <summary>The head passes its rows once for the loss and once for its gradient, although they may be one block.</summary>
    public bool TwoPasses { get; init; }

    /// <summary>The table is computed block by block, of which there is more than one or two passes are wanted.</summary>
    public bool AreCut => Count > 1 || TwoPasses;

    /// <summary>In order of rows.</summary>
    public IEnumerable<VocabularyBlock> Blocks => Enumerable.Range(0, Count).Select(b => new VocabularyBlock(b));

    /// <summary>The block with the highest ids.</summary>
    public VocabularyBlock Last => new(Count - 1);

    /// <summary>Id of the block's first row.</summary>
    public int First(VocabularyBlock block) => block.Index * PerBlock;

    /// <summary>Rows of the block.</summary>
    public int RowsOf(VocabularyBlock block) => Math.Min(PerBlock, VocabSize - First(block));
}
