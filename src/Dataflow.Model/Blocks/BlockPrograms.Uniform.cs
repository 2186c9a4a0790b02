namespace Dataflow.Model;

#pragma warning disable CS1591
public sealed partial class BlockPrograms
{
    public ParameterLayout BlockLayout => Kinds[0].Parameters;
    public Bytes KvPieceSize => Kinds[0].KvPieceSize;
    public Bytes GradKvPieceSize => Kinds[0].GradKvPieceSize;
    public Bytes ActivationsSize(SaveSet saved) => Kinds[0].ActivationsSize(saved);
    public bool NeedsRecompute(SaveSet saved) => Kinds[0].NeedsRecompute(saved);
    public SaveSet Missing(SaveSet saved) => Kinds[0].Missing(saved);
    public BlockProgram Forward(SaveSet saved) => Kinds[0].Forward(saved);
    public BlockProgram Recompute(SaveSet saved) => Kinds[0].Recompute(saved);
    public BlockProgram RecomputeKv() => Kinds[0].RecomputeKv();
    public BlockProgram Backward(SaveSet saved) => Kinds[0].Backward(saved);
    public static bool MayStream(SaveSet saved) => LayerPrograms.MayStream(saved);
    public BlockProgram Project(SaveSet saved) => Kinds[0].Project(saved);
    public BlockProgram Attend(SaveSet saved) => Kinds[0].Attend(saved);
    public BlockProgram Combine(SaveSet saved) => Kinds[0].Combine(saved);
    public BlockProgram StreamedRecompute(SaveSet saved) => Kinds[0].StreamedRecompute(saved);
    public BlockProgram CombineBackward(SaveSet saved) => Kinds[0].CombineBackward(saved);
    public BlockProgram AttendBackward(SaveSet saved) => Kinds[0].AttendBackward(saved);
    public BlockProgram ProjectBackward(SaveSet saved) => Kinds[0].ProjectBackward(saved);
    public Bytes SavedBeforeAttention(SaveSet saved) => Kinds[0].SavedBeforeAttention(saved);
    public Bytes GradientsBeforeAttention => Kinds[0].GradientsBeforeAttention;
}
