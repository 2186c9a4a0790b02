using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// A sink of each head: a logit that joins the softmax of every token, of whose probability nothing is made. Behind attention, which knows
/// nothing of it: o and the logsumexp become what they are with one more term in the sum, and with these attention's backward is that of
/// such a softmax.
/// </summary>
public static unsafe class AttentionSink
{
    /// <summary>l becomes log(exp(l) + exp(s)), o becomes o / (1 + exp(s - l)); fp32, o rounded once more.</summary>
    public static void Forward(ThreadTeam team, in AttentionSinkForwardArguments call)
    {
        Matrix o = new(call.Output), sinks = new(call.Sinks);
        team.For(o.Rows, new ForwardJob(o, sinks, (float*)call.Lse));
    }

    /// <summary>
    /// ds (+)= the sum over tokens of -exp(s - l) do o: products of a token in fp32, their sums and those over tokens in fp64, tokens
    /// ascending, then the old contents, rounded to fp32 and then to their type.
    /// </summary>
    public static void Backward(ThreadTeam team, in AttentionSinkBackwardArguments call)
    {
        Matrix o = new(call.Output), dO = new(call.GradOutput), sinks = new(call.Sinks), to = new(call.GradSinks);
        dO.Expect(o.Rows, o.Columns, nameof(call.GradOutput));
        to.Expect(1, sinks.Columns, nameof(call.GradSinks));
        team.For(sinks.Columns, new BackwardJob(o, dO, sinks, (float*)call.Lse, to, call.Accumulate));
    }

    private static float At(Matrix row, int column) => new Row(row, 0, column).Load(0, 1)[0];

    private readonly struct ForwardJob(Matrix o, Matrix sinks, float* lse) : IJob
    {
        public void Run(int index, int worker)
        {
            int width = o.Columns / sinks.Columns;
            for (int h = 0; h < sinks.Columns; h++)
            {
                float* l = lse + ((long)h * o.Rows) + index;
                float sink = At(sinks, h), old = *l;
                Vector512<float> kept = Vector512.Create(1 / (1 + MathF.Exp(sink - old)));
                *l = MathF.Max(old, sink) + (float)Math.Log(1 + Math.Exp(-Math.Abs((double)old - sink)));
                Row row = new(o, index, h * width);
                for (int j = 0; j < width; j += Lanes.Count)
                {
                    row.Store(j, row.Load(j, width - j) * kept, width - j);
                }
            }
        }
    }

    private readonly struct BackwardJob(Matrix o, Matrix dO, Matrix sinks, float* lse, Matrix to, bool accumulate) : IJob
    {
        public void Run(int index, int worker)
        {
            int width = o.Columns / sinks.Columns;
            float sink = At(sinks, index);
            double sum = 0;
            for (int t = 0; t < o.Rows; t++)
            {
                Row output = new(o, t, index * width), gradient = new(dO, t, index * width);
                Vector512<double> low = default, high = default;
                for (int j = 0; j < width; j += Lanes.Count)
                {
                    Vector512<float> product = output.Load(j, width - j) * gradient.Load(j, width - j);
                    low += Vector512.WidenLower(product);
                    high += Vector512.WidenUpper(product);
                }

                sum -= MathF.Exp(sink - lse[((long)index * o.Rows) + t]) * Vector512.Sum(low + high);
            }

            Row result = new(to, 0, index);
            sum += accumulate ? result.Load(0, 1)[0] : 0;
            result.Store(0, Vector512.Create((float)sum), 1);
        }
    }
}
