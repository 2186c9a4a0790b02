namespace Dataflow.Training;

/// <summary>
/// Tensors that hold the matrices of all experts of a layer, as bfloat16 folders of Qwen3.5 have them: mlp.experts.gate_up_proj [E, 2 F, D]
/// (gate, then up) and mlp.experts.down_proj [E, D, F]. They are read as if each matrix were a tensor of its own, which is the other form
/// of such files.
/// </summary>
internal static class StackedExperts
{
    private const string Experts = ".mlp.experts.";
    private const string GateUp = Experts + "gate_up_proj";
    private const string Down = Experts + "down_proj";

    /// <summary>The matrices of each such tensor.</summary>
    /// <param name="tensors">All of a checkpoint, by name; the matrices take the place of what held them.</param>
    /// <returns>By the tensor that held them.</returns>
    public static IReadOnlyDictionary<StoredTensor, StoredTensor[]> Split(Dictionary<string, StoredTensor> tensors)
    {
        var split = new Dictionary<StoredTensor, StoredTensor[]>();
        foreach (var gateUp in tensors.Values.Where(t => t.Name.EndsWith(GateUp, StringComparison.Ordinal)).ToList())
        {
            string layer = gateUp.Name[..^GateUp.Length];
            if (tensors.GetValueOrDefault(layer + Down) is { } down && AreOutByIn(gateUp, down))
            {
                var (width, rows, columns) = (gateUp.Shape[1] / 2, gateUp.Shape[2], down.Shape[2]);
                split[gateUp] = Matrices(gateUp, layer, ["gate_proj", "up_proj"], [width, rows]);
                split[down] = Matrices(down, layer, ["down_proj"], [rows, columns]);
            }
        }

        foreach (var (held, matrices) in split)
        {
            tensors.Remove(held.Name);
            foreach (var matrix in matrices)
            {
                tensors[matrix.Name] = matrix;
            }
        }

        return split;
    }

    /// <summary>As other families have them, in by out, they are of other shapes.</summary>
    private static bool AreOutByIn(StoredTensor gateUp, StoredTensor down) =>
        gateUp is { Type: var type, Shape: [var experts, var both, var dim] }
        && type.IsReadable()
        && down.Type.IsReadable()
        && down.Shape is [var others, var rows, var width]
        && experts == others
        && dim == rows
        && both == 2 * width;

    private static StoredTensor[] Matrices(StoredTensor of, string layer, string[] names, long[] shape) =>
        [
            .. from expert in Enumerable.Range(0, (int)of.Shape[0])
            from name in names.Index()
            select of.Part(
                $"{layer}{Experts}{expert}.{name.Item}.weight", shape, ((expert * names.Length) + name.Index) * shape[0] * shape[1]),
        ];
}
