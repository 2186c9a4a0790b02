using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>What differs from step to step as kernels read it: struct StepBlock of kernels/device.cuh, 72 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 72)]
internal readonly struct StepBlock
{
    private readonly float learningRate;
    private readonly float beta1;
    private readonly float beta2;
    private readonly float epsilon;
    private readonly float weightDecay;
    private readonly float biasCorrection1;
    private readonly float biasCorrection2;
    private readonly float lossScale;
    private readonly float clipNorm;
    private readonly int step;
    private readonly ulong seed;
    private readonly float oneMinusBeta1;
    private readonly float oneMinusBeta2;
    private readonly float momentum;
    private readonly float nesterov;
    private readonly float averageShare;
    private readonly float averageDecay;

    public StepBlock(in StepArguments arguments)
    {
        var optimizer = arguments.Optimizer;
        (learningRate, beta1, beta2) = (optimizer.LearningRate, optimizer.Beta1, optimizer.Beta2);
        (epsilon, weightDecay) = (optimizer.Epsilon, optimizer.WeightDecay);
        biasCorrection1 = (float)(1 - Math.Pow(Written(optimizer.Beta1), arguments.Step));
        biasCorrection2 = (float)(1 - Math.Pow(Written(optimizer.Beta2), arguments.Step));
        (lossScale, clipNorm, step) = (arguments.LossScale, arguments.ClipNorm, arguments.Step);
        (seed, momentum, nesterov) = (arguments.Seed, optimizer.Momentum, optimizer.Nesterov);
        (averageShare, averageDecay) = (optimizer.AverageShare, optimizer.AverageDecay);
        (oneMinusBeta1, oneMinusBeta2) = ((float)(1 - Written(optimizer.Beta1)), (float)(1 - Written(optimizer.Beta2)));
    }

    /// <summary>The number that a user wrote: 0.9 and not the fp32 nearest to it, whose powers stray.</summary>
    private static double Written(float value) => (double)(decimal)value;
}
