using System.CommandLine;
using Dataflow.Cli;

var (plan, show, verify, train, gradients) = (PlanVerb.Command(), ShowVerb.Command(), VerifyVerb.Command(), TrainVerb.Command(), GradientsVerb.Command());
var doctor = DoctorVerb.Command();
var root = new RootCommand("Trains Llama- and Qwen3-style transformers whose state does not fit the device, inside two memory budgets.") { plan, show, verify, train, gradients, doctor };
return Invocation.Run(
    root,
    new Dictionary<Command, string[]>
    {
        [root] = PlanVerb.Examples[..1],
        [plan] = PlanVerb.Examples,
        [show] = ShowVerb.Examples,
        [verify] = VerifyVerb.Examples,
        [train] = TrainVerb.Examples,
        [gradients] = GradientsVerb.Examples,
        [doctor] = DoctorVerb.Examples,
    },
    args);
