using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Peers;
using Dataflow.Training;
using TorchSharp;

namespace Dataflow.Pretrained.Tests;

/// <summary>
/// A single loss in float64 by TorchSharp, angles too: transformers' float32 has angles that are off by 1e-4 at positions of thousands,
/// which costs single targets more than the rest of the arithmetic.
/// </summary>
internal static class Float64
{
    /// <summary>The loss of the last id by those before it, in a model whose blocks are Llama's.</summary>
    public static double LossOf(string folder, int[] ids)
    {
        TorchLibrary.Load(threads: 2);
        using var scope = torch.NewDisposeScope();
        using var nothing = torch.no_grad();
        var model = ModelFiles.LoadConfig(folder);
        var shape = new TorchShape(
            model.VocabSize, model.LayerCount, model.HeadCount, model.KvHeadCount, model.HeadDim, model.RopeTheta, model.RmsNormEps)
        {
            Tied = model.TiedEmbedding,
        };
        using var file = SafetensorsFile.Open(Path.Combine(folder, Checkpoint.FileName));
        var weights = file.Tensors.ToDictionary(t => t.Name, t =>
        {
            float[] values = new float[t.Count];
            t.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return torch.tensor(values, [.. t.Shape]).to(torch.ScalarType.Float64);
        });
        var batch = TorchBatch.Of([new PackedRow(ids, ids.Length - 1, null)]);
        long[] targets = [.. Enumerable.Repeat(TorchBatch.Ignored, ids.Length - 2), ids[^1]];
        return new TorchDecoder(shape, weights).Loss(batch with { Targets = torch.tensor(targets, [1, targets.Length]) }).item<double>();
    }
}
