using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning;

/// <summary>
/// The objects of a step as its ops ask for them: each is entered once, with the name, home, length and pool that its
/// <see cref="ObjectRow"/> gives it, and a use says which of its bytes an op takes.
/// </summary>
internal sealed class ObjectTable(SizedResidency sized, ImmutableArray<Pool> pools)
{
    private readonly Geometry geometry = sized.Geometry;
    private readonly BlockPrograms programs = sized.Programs;
    private readonly ObjectRow[] weights = [.. ObjectFamilies.OfLayers(ObjectFamilies.Weights, sized.Sizes.Rows)];
    private readonly ObjectRow[] gradients = [.. ObjectFamilies.OfLayers(ObjectFamilies.Gradients, sized.Sizes.Rows)];
    private readonly List<StepObject> objects = [];
    private readonly Dictionary<ObjectId, int> indices = [];
    private readonly Dictionary<string, int> poolIds = pools.Select((p, i) => (p.Name, Index: i)).ToDictionary(p => p.Name, p => p.Index);

    public ImmutableArray<StepObject> Objects => [.. objects];

    /// <summary>What the forward of that chunk keeps.</summary>
    public SaveSet Saved(Layer l, Chunk c, Round r) => sized.Pattern.Saved(l, c, r);

    public Use Table(Chunk c, Round r) => OfChunk(Roles.Table, ObjectFamilies.Tables, c, r, AccessMode.Read);

    /// <summary>Residual stream at the entry of a layer; the layer after the last is the head.</summary>
    public Use Stream(string role, Layer l, Chunk c, Round r, AccessMode mode) => OfPair(role, ObjectFamilies.Streams, l, c, r, mode);

    public Use GradStream(Chunk c, Round r, AccessMode mode) => OfChunk(Roles.GradStream, ObjectFamilies.GradStreams, c, r, mode);

    /// <summary>
    /// Rows of a group's context window, of the layer whose keys and values that layer reads. The window that a backward recomputes is an
    /// object of its own. No use where nothing passes from chunk to chunk.
    /// </summary>
    public Use Window(Layer l, Chunk c, Round r, bool recomputed, int firstRow, int rows, AccessMode mode)
    {
        l = sized.Model.KvSourceOf(l);
        if (programs[l].KvPieceSize == Bytes.Zero)
        {
            return default;
        }

        var id = new ObjectId(recomputed ? ObjectFamily.RecomputedWindows : ObjectFamily.Windows) { Layer = l, Round = r };
        return Rows(Roles.Kv, ObjectFamilies.Windows, id, c, programs[l].KvPieceSize, firstRow, rows, mode);
    }

    /// <summary>Of the gradient of that window the first rows.</summary>
    public Use GradWindow(Layer l, Chunk c, Round r, int rows, AccessMode mode)
    {
        l = sized.Model.KvSourceOf(l);
        if (programs[l].GradKvPieceSize == Bytes.Zero)
        {
            return default;
        }

        var id = new ObjectId(ObjectFamily.GradWindows) { Layer = l, Round = r };
        return Rows(Roles.GradKv, ObjectFamilies.GradWindows, id, c, programs[l].GradKvPieceSize, 0, rows, mode);
    }

    /// <summary>Rows of a segment of a group's context window.</summary>
    public Use Segment(Layer l, Chunk c, Round r, Segment s, int firstRow, int rows, AccessMode mode)
    {
        var id = new ObjectId(ObjectFamily.Windows)
        {
            Layer = l,
            Segment = s.Index,
            Round = r,
        };
        return Rows(Roles.Kv, ObjectFamilies.Windows, id, c, programs[l].KvPieceSize, firstRow, rows, mode);
    }

    /// <summary>The same rows of its gradient.</summary>
    public Use GradSegment(Layer l, Chunk c, Round r, Segment s, int firstRow, int rows, AccessMode mode)
    {
        var id = new ObjectId(ObjectFamily.GradWindows)
        {
            Layer = l,
            Segment = s.Index,
            Round = r,
        };
        return Rows(Roles.GradKv, ObjectFamilies.GradWindows, id, c, programs[l].GradKvPieceSize, firstRow, rows, mode);
    }

    /// <summary>Saved activations; no use where the save set needs no object.</summary>
    public Use Activations(Layer l, Chunk c, Round r, AccessMode mode) =>
        programs[l].ActivationsSize(Saved(l, c, r)) == Bytes.Zero
            ? default
            : OfPair(Roles.Activations, ObjectFamilies.Activations, l, c, r, mode);

    /// <summary>Parameters in one of a layer's objects.</summary>
    public Use Weights(string role, ParameterOwner owner, AccessMode mode) => Of(role, weights[RowOf(owner)], owner, mode);

    /// <summary>Gradients of these.</summary>
    public Use Gradients(string role, ParameterOwner owner, AccessMode mode) => Of(role, gradients[RowOf(owner)], owner, mode);

    /// <summary>Those of experts alone take turns, of whichever layer; the others with those in the same place of other layers.</summary>
    private int RowOf(ParameterOwner owner) =>
        programs[owner.Layer!.Value].IsOfExperts(owner.Part)
            ? weights.Length - 1
            : programs[owner.Layer!.Value].PlaceAmongOthers(owner.Part);

    /// <summary>Parameters of embedding or head, or of a block of either.</summary>
    public Use VocabularyWeights(string role, ParameterOwner owner, AccessMode mode) =>
        Of(
            role,
            owner.Part > 0 ? ObjectFamilies.ApartWeights : IsApart(owner) ? ObjectFamilies.HeadWeights : ObjectFamilies.VocabularyWeights,
            owner,
            mode
        );

    /// <summary>Gradients of embedding or head, or of a block of either.</summary>
    public Use VocabularyGradients(string role, ParameterOwner owner, AccessMode mode) =>
        Of(
            role,
            owner.Part > 0 ? ObjectFamilies.ApartGradients
                : IsApart(owner) ? ObjectFamilies.HeadGradients
                : ObjectFamilies.VocabularyGradients,
            owner,
            mode
        );

    /// <summary>Optimizer state of a piece; pieces count in the order of their updates.</summary>
    public Use Moments(ParameterOwner owner, int piece, int order)
    {
        var id = new ObjectId(ObjectFamily.Moments) { Owner = owner, Piece = piece };
        return Whole(Roles.Optimizer, IndexOf(ObjectFamilies.Moments, id, order < sized.Residency.ResidentPieces), AccessMode.ReadWrite);
    }

    /// <summary>What the blocks of the vocabulary say of a chunk's rows of logits.</summary>
    public Use LogitStatistics(Chunk c, Round r, AccessMode mode) =>
        OfChunk(Roles.LogitStatistics, ObjectFamilies.LogitStatistics, c, r, mode);

    /// <summary>Gradient of a chunk's normed head input, summed over the blocks of the vocabulary.</summary>
    public Use GradHead(Chunk c, Round r, AccessMode mode) => OfChunk(Roles.GradHead, ObjectFamilies.GradHeads, c, r, mode);

    /// <summary>Logits of the tokens that are asked for, of a block of the vocabulary or of all of it.</summary>
    public Use Logits(VocabularyBlock? b, AccessMode mode) =>
        Whole(Roles.Logits, IndexOf(ObjectFamilies.Logits, new ObjectId(ObjectFamily.Logits) { Piece = b?.Index }), mode);

    public Use Loss(Chunk c, Round r) =>
        Only(Roles.Loss, ObjectFamilies.Losses, AccessMode.Write) with
        {
            Offset = new Bytes(4L * ((r.Index * geometry.ChunksPerRound) + c.Index)),
            Length = new Bytes(4),
        };

    /// <summary>What a round's pairs are compared by, and their sums; no use where there are none.</summary>
    public Use Pairs(Round r, AccessMode mode) =>
        !geometry.Pairs ? default
        : Only(Roles.Pairs, ObjectFamilies.Pairs, mode) with
        {
            Offset = PairTable.Size(geometry) * r.Index,
            Length = PairTable.Size(geometry),
        };

    /// <summary>What layers take of a chunk's tokens, where a program names it.</summary>
    public Use LayerInputs(BlockProgram program, Chunk c, Round r, AccessMode mode) =>
        !Names(program, Roles.LayerInputs) ? default
        : OfChunk(Roles.LayerInputs, ObjectFamilies.LayerInputs, c, r, mode);

    /// <summary>Its gradient, likewise.</summary>
    public Use GradLayerInputs(BlockProgram program, Chunk c, Round r, AccessMode mode) =>
        !Names(program, Roles.GradLayerInputs) ? default
        : OfChunk(Roles.GradLayerInputs, ObjectFamilies.GradLayerInputs, c, r, mode);

    /// <summary>The load of a round's experts.</summary>
    public Use Load(Round r, AccessMode mode) =>
        Whole(Roles.Load, IndexOf(ObjectFamilies.Loads, new ObjectId(ObjectFamily.Loads) { Round = r }), mode);

    /// <summary>The sum of squares of one parameter object's gradient.</summary>
    public Use Norm(ParameterOwner owner) =>
        Only(Roles.Norm, ObjectFamilies.Norms, AccessMode.Write) with
        {
            Offset = new Bytes(8L * sized.Sizes.Owners.Index(owner)),
            Length = new Bytes(8),
        };

    /// <summary>All sums of squares.</summary>
    public Use Norms() => Only(Roles.Norm, ObjectFamilies.Norms, AccessMode.Read);

    /// <summary>Bytes of scratch; no use where there are none.</summary>
    public Use Scratch(Bytes length, AccessMode mode) =>
        length == Bytes.Zero ? default : Only(Roles.Scratch, ObjectFamilies.Scratch, mode) with { Length = length };

    /// <summary>What is left of the head where it has a slot of its own.</summary>
    private bool IsApart(ParameterOwner owner) => owner is { IsHead: true, Block: null } && VocabularyMemory.HeadIsApart(sized.Sizes);

    private bool Names(BlockProgram program, string role) =>
        sized.Model.LayerInputDim > 0 && program.Places.Values.Any(p => p.Role == role);

    private Use Only(string role, ObjectRow row, AccessMode mode) => Whole(role, IndexOf(row, new ObjectId(row.Family)), mode);

    private Use OfChunk(string role, ObjectRow row, Chunk c, Round r, AccessMode mode) =>
        Whole(role, IndexOf(row, new ObjectId(row.Family) { Chunk = c, Round = r }), mode);

    private Use OfPair(string role, ObjectRow row, Layer l, Chunk c, Round r, AccessMode mode)
    {
        var id = new ObjectId(row.Family)
        {
            Layer = l,
            Chunk = c,
            Round = r,
        };
        return Whole(role, IndexOf(row, id), mode);
    }

    private Use Of(string role, ObjectRow row, ParameterOwner owner, AccessMode mode) =>
        Whole(role, IndexOf(row, new ObjectId(row.Family) { Owner = owner }), mode);

    /// <summary>Rows of what the chunk's group shares.</summary>
    private Use Rows(string role, ObjectRow row, ObjectId id, Chunk c, Bytes piece, int firstRow, int rows, AccessMode mode)
    {
        long length = piece.Value / geometry.ChunkTokens;
        int index = IndexOf(row, id with { Group = c.Index / geometry.ChunksPerGroup });
        return new Use(role, index, new Bytes(length * firstRow), new Bytes(length * rows), mode);
    }

    private Use Whole(string role, int index, AccessMode mode) => new(role, index, Bytes.Zero, objects[index].Length, mode);

    // Names are written once an object, and objects are asked for at every use.
    private int IndexOf(ObjectRow row, ObjectId id) =>
        indices.TryGetValue(id, out int known) ? known : Enter(row, id, row.IsResident(sized, id));

    private int IndexOf(ObjectRow row, ObjectId id, bool resident) =>
        indices.TryGetValue(id, out int known) ? known : Enter(row, id, resident);

    private int Enter(ObjectRow row, ObjectId id, bool resident)
    {
        int index = indices[id] = objects.Count;
        var home = row.Home(sized, id);
        string name = id.ToString();

        // Over the pools of another kind of step all take turns.
        resident = resident && poolIds.ContainsKey(row.PoolOf(sized.Model, resident: true));
        objects.Add(
            new StepObject(
                name,
                home == id ? name : home.ToString(),
                row.LengthOf(sized, id),
                poolIds[row.PoolOf(sized.Model, resident)],
                row.Life(sized.Sizes.Kind),
                row.LeavesAtOnce(sized, id)
            )
        );
        return index;
    }
}
