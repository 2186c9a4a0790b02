using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>A number that a run hands over by value: the pointer that it gives is the host's.</summary>
/// <param name="Operand">Which tensor of one element.</param>
/// <param name="Type">fp32 or int32.</param>
/// <param name="Value">The number, which the type holds exactly.</param>
public readonly record struct CudnnScalar(CudnnOperand Operand, CudnnDataType Type, double Value);

/// <summary>An attention of cuDNN as a value: what is created, in its order, and what a run gives.</summary>
public sealed record CudnnGraph
{
    /// <summary>Release and GPU that it is for.</summary>
    public required CudnnTarget Target { get; init; }

    /// <summary>What it computes, for all its calls, and on which engine.</summary>
    public required CudnnAnswer.Offered Answer { get; init; }

    /// <summary>In the order of creation, each after those that it refers to; the last is the graph of operations.</summary>
    public required ImmutableArray<CudnnDescriptor> Descriptors { get; init; }

    /// <summary>Tensors that memory of the device stands behind, by their ids.</summary>
    public required ImmutableArray<CudnnOperand> Tensors { get; init; }

    /// <summary>Tensors that are numbers, by their ids.</summary>
    public required ImmutableArray<CudnnScalar> Scalars { get; init; }

    /// <summary>Where the graph of operations is.</summary>
    public int OperationGraph => Descriptors.Length - 1;

    /// <summary>Says in words what it is: unlike for graphs that differ.</summary>
    public string Name
    {
        get
        {
            var call = Answer.Call;
            string form = Answer.Form switch
            {
                CudnnForm.Forward => "forward",
                CudnnForm.BackwardOrdered => "backward ordered",
                _ => "backward direct",
            };
            return $"{Target.Architecture} cudnn {Target.Library} {form} heads {call.Heads}/{call.KvHeads} of {call.HeadDim} "
                + (call.Sequences > 1 ? $"sequences {call.Sequences} " : "")
                + $"rows {call.QueryRowElements}/{call.KeyRowElements} queries {call.Queries} keys {call.Keys}"
                + (call.Causal ? " causal" : "")
                + (call.Window is { } window ? $" window {window}" : "")
                + (call.Softcap is not null ? " softcap" : "")
                + (call.Sink ? " sink" : "")
                + (call.Documents is { } documents ? $" documents {documents}" : "")
                + (Answer.Form != CudnnForm.Forward && call.GradQueryType == DType.Float32 ? " fp32 query gradient" : "");
        }
    }
}
