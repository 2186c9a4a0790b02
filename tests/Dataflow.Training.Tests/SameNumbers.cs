using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Weights that are stored in different ways are the same numbers.</summary>
internal static class SameNumbers
{
    /// <summary>Reads both, in fp32 and bf16, in pieces that begin and end anywhere, by several threads.</summary>
    /// <param name="model">Whose weights they are.</param>
    /// <param name="weights">As they are read from what is tested.</param>
    /// <param name="expected">What they are.</param>
    /// <param name="pieces">About how many pieces an object of parameters is read in.</param>
    public static void Check(ModelConfig model, IWeightSource weights, IWeightSource expected, int pieces)
    {
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            foreach (var o in ParameterObject.All(model))
            {
                int count = (int)o.Layout(model).ElementCount, piece = Math.Max(1, count / pieces);
                Parallel.For(0, (count + piece - 1) / piece, i =>
                {
                    int some = Math.Min(piece, count - (i * piece)) * (int)type.Size();
                    var (now, then) = (new byte[some], new byte[some]);
                    weights.Read(o, i * (long)piece, now, type);
                    expected.Read(o, i * (long)piece, then, type);
                    Assert.Equal(then, now);
                });
            }
        }
    }
}
