using System.Runtime.InteropServices;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Training;

/// <summary>
/// Finds where the first value of a step arose that is not finite: the step runs again, from the state that it began with, and what each
/// kernel writes is looked at. It takes as long as many steps do, and no other step takes any longer for it.
/// </summary>
internal sealed class StepDiagnosis(ModelConfig model, IDevice device, Executor executor, GradientNorms norms)
{
    private const int PieceElements = 1 << 18;

    /// <summary>Runs the step again; weights and optimizer state stay as they are.</summary>
    /// <returns>What was found.</returns>
    public NonFiniteValue Run(in StepArguments arguments)
    {
        if (device is not IInspectableDevice inspectable)
        {
            return new NonFiniteValue(NonFiniteKind.Unknown, "");
        }

        var search = new FirstNonFinite(model);
        using (inspectable.Inspect(search.Look))
        {
            // A factor that is no number withholds the updates, whatever the gradients are this time.
            executor.RunStep(arguments with { ClipNorm = float.NaN });
        }

        if (search.Found is { } found)
        {
            return found;
        }

        norms.Read();
        string[] objects = [.. norms.Squares.Where(n => !double.IsFinite(n.Square)).Select(n => n.Owner.ToString())];
        return objects.Length == 0
            ? new NonFiniteValue(NonFiniteKind.Gone, "")
            : new NonFiniteValue(NonFiniteKind.Norm, $"the gradients of {string.Join(", ", objects)}");
    }

    /// <summary>The first weight of a source that is not finite; null where all are, or there is none.</summary>
    public static NonFiniteValue? FirstWeight(IWeightSource? source)
    {
        float[] piece = new float[PieceElements];
        foreach (var weight in source is null ? [] : WeightNames.Enumerate(source.Model))
        {
            for (long at = 0; at < weight.ElementCount; at += PieceElements)
            {
                var here = piece.AsSpan(0, (int)Math.Min(PieceElements, weight.ElementCount - at));
                source!.Read(weight.Object, weight.ElementOffset + at, MemoryMarshal.AsBytes(here), DType.Float32);
                foreach (float value in FiniteNumbers.AreAll(MemoryMarshal.AsBytes(here), DType.Float32) ? [] : here)
                {
                    if (!float.IsFinite(value))
                    {
                        return new NonFiniteValue(NonFiniteKind.Weight, weight.Name) { Value = value };
                    }
                }
            }
        }

        return null;
    }

    /// <summary>What ends a run at a step that is not finite.</summary>
    /// <param name="step">The step's number.</param>
    /// <param name="got">Its loss and, where it is computed, the norm of its gradients.</param>
    /// <param name="workload">What was trained.</param>
    /// <param name="first">Where the first value arose; null where that is not known.</param>
    public static Exception Failure(int step, (double Loss, double? Norm) got, Workload workload, NonFiniteValue? first)
    {
        string where =
            first is not null ? $"; the first value that is not finite: {first}"
            : workload.Kind == WorkloadKind.Training
                ? "; in a run with --clip, whose updates wait for all gradients, the layer, the chunk and the tensor where it arose are "
                    + "named"
            : "";
        return double.IsFinite(got.Loss)
                ? new DivergedException($"the norm of the gradients of step {step} is {got.Norm}: training diverged; try a smaller --lr"
                    + where)
            : step == 1
                ? new UserErrorException(
                    $"the loss of the weights as they were loaded is {got.Loss}: some of them are no finite numbers, or too large for "
                        + workload.Recipe.Name + where)
            : new DivergedException($"the loss of step {step} is {got.Loss}: training diverged; try a smaller --lr{where}");
    }
}
