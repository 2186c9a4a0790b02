using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Embedding and head: their slots on the device and their homes on the host. Whole, they have a slot each or take turns in one. In blocks,
/// all stay or they take turns in a few slots; a head's norm, a vector, then has a slot of its own. Each pass over the blocks begins where
/// the one before ended, so that the longest idle is the one that is needed again last, and a pass that begins anew still rotates.
/// </summary>
internal static class VocabularyMemory
{
    /// <summary>Blocks of all matrices, in order of their first use; whole matrices count as one.</summary>
    public static int BlockCount(BlockPrograms programs) => programs.EmbeddingLayouts.Length + programs.HeadBlockLayouts.Length;

    /// <summary>
    /// What the head has besides its matrix has a slot of its own: a norm, where the matrix is the table's (then the table has one, too) or
    /// lies in blocks.
    /// </summary>
    public static bool HeadIsApart(MemorySizes w) => w.IsTied || w.IsCut;

    /// <summary>Length of the slots in which tables and the head's matrix, or their blocks, take turns.</summary>
    public static Bytes SlotLength(MemorySizes w, DType type)
    {
        var table = LargestTable(w, type);
        return HeadIsApart(w) ? table : Bytes.Max(table, w.Programs.HeadLayout.Size(type));
    }

    /// <summary>The same for their gradients, of what is trained.</summary>
    public static Bytes GradientSlotLength(MemorySizes w)
    {
        var type = w.Workload.Recipe.Gradients;
        var table = TrainedBlocks(w) > 0 ? LargestTable(w, type) : Bytes.Zero;
        return HeadIsApart(w) ? table
            : Bytes.Max(
                w.Workload.Model.TrainsEmbedding ? table : Bytes.Zero,
                w.Workload.Model.TrainsHead ? w.Programs.HeadLayout.Size(type) : Bytes.Zero
            );
    }

    private static Bytes LargestTable(MemorySizes w, DType type) =>
        w.Programs.EmbeddingLayouts.Select(layout => layout.Size(type)).Aggregate(Bytes.Max);

    /// <summary>How many of these slots there are for parameters.</summary>
    public static int WeightSlots(SizedResidency m) =>
        Slots(m, m.Residency.VocabularyResident, m.Sizes.IsCut ? BlockCount(m.Programs) : m.Sizes.IsTied ? 1 : 2);

    /// <summary>How many there are for gradients.</summary>
    public static int GradientSlots(SizedResidency m) =>
        m.Sizes.Kind.HasBackward()
            ? Slots(m, m.Residency.VocabularyResident && !(m.Sizes.IsCut && UsedUpAtOnce(m)), TrainedBlocks(m.Sizes))
            : 0;

    private static int Slots(SizedResidency m, bool stay, int blocks) =>
        Math.Min(
            blocks,
            stay ? int.MaxValue
            : m.Sizes.IsCut ? m.Residency.VocabularySlots
            : 1
        );

    /// <summary>Of the blocks of all matrices, and whole matrices, those that have gradients.</summary>
    private static int TrainedBlocks(MemorySizes w)
    {
        var model = w.Workload.Model;
        int ofHead = w.IsTied ? 0 : w.IsCut ? w.Programs.HeadBlockLayouts.Length : 1;
        return (model.TrainsEmbedding ? w.Programs.EmbeddingLayouts.Length : 0) + (model.TrainsHead ? ofHead : 0);
    }

    /// <summary>Homes of parameters.</summary>
    public static Bytes WeightHomes(SizedResidency m, int slots, Bytes length)
    {
        var type = m.Sizes.Workload.Recipe.Parameters;
        bool leave = m.Sizes.IsCut ? slots < BlockCount(m.Programs) : TakeTurns(m);
        return !leave ? Bytes.Zero
            : m.Sizes.IsCut ? Blocks(m.Programs, type)
            : All(m.Programs, type);
    }

    /// <summary>Homes of gradients: of all where these are what the step is for.</summary>
    public static Bytes GradientHomes(SizedResidency m, int slots, Bytes length)
    {
        var (programs, type) = (m.Programs, m.Sizes.Workload.Recipe.Gradients);
        if (!m.Sizes.Kind.HasBackward())
        {
            return Bytes.Zero;
        }

        bool whole = m.Model.TrainsEmbedding && m.Model.TrainsHead;
        if (m.Sizes.Kind == WorkloadKind.Gradients)
        {
            return Trained(m, All);
        }

        if (!m.Sizes.IsCut)
        {
            return !m.Sizes.UsesGradientsAtOnce && TakeTurns(m) && whole ? All(programs, type) : Bytes.Zero;
        }

        if (UsedUpAtOnce(m) || slots >= TrainedBlocks(m.Sizes))
        {
            return Bytes.Zero;
        }

        if (m.Sizes.Kind != WorkloadKind.Training || (!whole && !m.Sizes.IsTied))
        {
            return Trained(m, Blocks);
        }

        int count = programs.EmbeddingLayouts.Length, ofTable = programs.Vocabulary.Count;
        if (count > ofTable)
        {
            // What layers take of tokens comes in between, each block of it done with before the next where gradients are used at once.
            return m.Sizes.UsesGradientsAtOnce ? TableBlocks(programs, type, 0, ofTable) : Blocks(programs, type);
        }

        if (m.Sizes.IsTied)
        {
            // Down in the head and up in the embedding: at each turn the last ones stay.
            int before = m.Sizes.UsesGradientsAtOnce ? 0 : Math.Min(slots, count - slots);
            return TableBlocks(programs, type, 0, before) + TableBlocks(programs, type, slots, count);
        }

        // The last round uses up the head's, so that all but one slot keep what they hold.
        int first = Math.Max(0, count - slots + 1);
        return Blocks(programs, type)
            - (m.Sizes.Rounds == 2 ? TableBlocks(programs, type, first, Math.Min(count, first + slots)) : Bytes.Zero);
    }

    /// <summary>
    /// Homes of gradients of the head's input. They come in the same order for every block, so that all leave; but for the last block they
    /// are used up, and with two blocks that is before all but one slot are wanted for others, with one block at once: none leaves.
    /// </summary>
    public static Bytes GradHeadHomes(SizedResidency m, int slots, Bytes length) =>
        slots == 0 || slots >= m.Chunks || m.Programs.Vocabulary.Count == 1 ? Bytes.Zero
        : length * (m.Programs.Vocabulary.Count == 2 ? m.Chunks - slots + 1 : m.Chunks);

    /// <summary>Every gradient of a block is complete and used before the next one's begins.</summary>
    private static bool UsedUpAtOnce(SizedResidency m) => m.Sizes.UsesGradientsAtOnce && !m.Sizes.IsTied;

    /// <summary>Bytes of gradients of what is trained; all of them where only some is.</summary>
    private static Bytes Trained(SizedResidency m, Func<BlockPrograms, DType, Bytes> of) =>
        m.Model.TrainsEmbedding || m.Model.TrainsHead ? of(m.Programs, m.Sizes.Workload.Recipe.Gradients) : Bytes.Zero;

    private static bool TakeTurns(SizedResidency m) => !m.Sizes.IsTied && !m.Residency.VocabularyResident;

    /// <summary>Everything once.</summary>
    private static Bytes All(BlockPrograms programs, DType type) => Blocks(programs, type) + programs.HeadLayout.Size(type).Aligned;

    private static Bytes Blocks(BlockPrograms programs, DType type)
    {
        var sum = TableBlocks(programs, type, 0, programs.EmbeddingLayouts.Length);
        foreach (var layout in programs.HeadBlockLayouts.AsSpan())
        {
            sum += layout.Size(type).Aligned;
        }

        return sum;
    }

    /// <summary>Blocks of the table, from a first to before an end.</summary>
    private static Bytes TableBlocks(BlockPrograms programs, DType type, int first, int end)
    {
        var sum = Bytes.Zero;
        for (int b = first; b < end; b++)
        {
            sum += programs.EmbeddingLayouts[b].Size(type).Aligned;
        }

        return sum;
    }
}
