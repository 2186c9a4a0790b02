using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// Embedding and head: their pools on the device and their homes on the host. Whole, they have a slot each or take turns in one. In blocks,
/// all stay or they take turns in a few slots; a head's norm, a vector, then has a slot of its own. Each pass over the blocks begins where
/// the one before ended, so that the longest idle is the one that is needed again last, and a pass that begins anew still rotates.
/// </summary>
internal static class VocabularyMemory
{
    /// <summary>Blocks of all matrices, in order of their first use; whole matrices count as one.</summary>
    public static int BlockCount(BlockPrograms programs) => programs.EmbeddingLayouts.Length + programs.HeadBlockLayouts.Length;

    /// <summary>The pools of parameters ('W') or gradients ('G').</summary>
    public static IEnumerable<Pool> Pools(char what, DType type, Workload workload, BlockPrograms programs, Residency residency)
    {
        bool tied = workload.Model.TiedEmbedding;
        var (table, head) = (programs.EmbeddingLayouts[0].Size(type), programs.HeadLayout.Size(type));
        if (programs.Vocabulary.AreCut)
        {
            int turns = Math.Min(residency.VocabularySlots, BlockCount(programs));
            bool stay = residency.VocabularyResident && !(what == 'G' && UsedUpAtOnce(workload));
            yield return new Pool(
                PoolNames.Vocabulary(what, tied, "embed"),
                table,
                stay ? BlockCount(programs) : turns,
                Replacement.LongestIdle
            );
            yield return new Pool(PoolNames.Vocabulary(what, apart: true, "head"), head, 1);
        }
        else if (tied)
        {
            // A tied head is a single norm vector: it gets a slot of its own, and the table too.
            yield return new Pool(PoolNames.Vocabulary(what, apart: true, "embed"), table, 1);
            yield return new Pool(PoolNames.Vocabulary(what, apart: true, "head"), head, 1);
        }
        else
        {
            yield return new Pool(
                PoolNames.Vocabulary(what, apart: false, ""),
                Bytes.Max(table, head),
                residency.VocabularyResident ? 2 : 1
            );
        }
    }

    /// <summary>Homes of parameters.</summary>
    public static Bytes WeightHomes(Workload workload, BlockPrograms programs, Residency residency)
    {
        var type = workload.Recipe.Parameters;
        return programs.Vocabulary.AreCut
            ? Slots('W', type, workload, programs, residency) < BlockCount(programs) ? Blocks(programs, type) : Bytes.Zero
            : TakeTurns(workload, residency) ? All(programs, type) : Bytes.Zero;
    }

    /// <summary>Homes of gradients, where they are not what the step is for.</summary>
    public static Bytes GradientHomes(Workload workload, BlockPrograms programs, Residency residency)
    {
        var type = workload.Recipe.Gradients;
        bool once = workload.Geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training;
        if (!programs.Vocabulary.AreCut)
        {
            return !once && TakeTurns(workload, residency) ? All(programs, type) : Bytes.Zero;
        }

        int slots = Slots('G', type, workload, programs, residency);
        if (UsedUpAtOnce(workload) || slots >= BlockCount(programs))
        {
            return Bytes.Zero;
        }

        var table = programs.EmbeddingLayouts;
        return (workload.Kind, workload.Model.TiedEmbedding) switch
        {
            (not WorkloadKind.Training, _) => Blocks(programs, type),

            // Down in the head and up in the embedding: at each turn the last ones stay.
            (_, true) => Sum(table.Where((_, b) => b >= slots || (!once && b < table.Length - slots)), type),

            // The last round uses up the head's, so that all but one slot keep what they hold.
            _ => Blocks(programs, type)
                - Sum(table.Skip(Math.Max(0, table.Length - slots + 1)).Take(workload.Geometry.Rounds == 2 ? slots : 0), type),
        };
    }

    /// <summary>
    /// How many chunks' gradients of the head's input have a home. They come in the same order for every block, so that all leave; but for
    /// the last block they are used up, and with two blocks that is before all but one slot are wanted for others.
    /// </summary>
    public static int GradHeadHomes(BlockPrograms programs, int chunks, int slots) =>
        slots == 0 || slots >= chunks ? 0 : programs.Vocabulary.Count == 2 ? chunks - slots + 1 : chunks;

    /// <summary>Everything once.</summary>
    public static Bytes All(BlockPrograms programs, DType type) => Blocks(programs, type) + programs.HeadLayout.Size(type).Aligned;

    /// <summary>Every gradient of a block is complete and used before the next one's begins.</summary>
    private static bool UsedUpAtOnce(Workload workload) =>
        workload.Geometry.Rounds == 1 && workload.Kind == WorkloadKind.Training && !workload.Model.TiedEmbedding;

    private static bool TakeTurns(Workload workload, Residency residency) => !workload.Model.TiedEmbedding && !residency.VocabularyResident;

    private static int Slots(char what, DType type, Workload workload, BlockPrograms programs, Residency residency) =>
        Pools(what, type, workload, programs, residency).First().SlotCount;

    private static Bytes Blocks(BlockPrograms programs, DType type) =>
        Sum(programs.EmbeddingLayouts.Concat(programs.HeadBlockLayouts), type);

    private static Bytes Sum(IEnumerable<ParameterLayout> layouts, DType type) =>
        layouts.Aggregate(Bytes.Zero, (sum, l) => sum + l.Size(type).Aligned);
}
