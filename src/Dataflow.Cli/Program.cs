using System.CommandLine;
using Dataflow.Cli;

ParentWatch.Begin();
var (plan, show, verify, simulate, frontier) = (
    PlanVerb.Command(),
    ShowVerb.Command(),
    VerifyVerb.Command(),
    SimulateVerb.Command(),
    FrontierVerb.Command()
);
var (train, gradients, kernels, doctor) = (TrainVerb.Command(), GradientsVerb.Command(), KernelsVerb.Command(), DoctorVerb.Command());
var (calibrate, sweep, report) = (CalibrateVerb.Command(), SweepVerb.Command(), ReportVerb.Command());
var (map, atlas) = (MapVerb.Command(), AtlasVerb.Command());
var root = new RootCommand(
    "Trains Llama- and Qwen3-style transformers that do not fit a GPU's memory, within two budgets: device memory and host memory."
)
{
    plan, train, simulate, show, verify, sweep, map, atlas, report, frontier, gradients, calibrate, kernels, doctor, HelpVerb.Command(),
};
return Invocation.Run(
    root,
    new Dictionary<Command, string[]>
    {
        [root] = [TrainVerb.Examples[0], PlanVerb.Examples[0], SimulateVerb.Examples[1]],
        [plan] = PlanVerb.Examples,
        [show] = ShowVerb.Examples,
        [verify] = VerifyVerb.Examples,
        [simulate] = SimulateVerb.Examples,
        [sweep] = SweepVerb.Examples,
        [map] = MapVerb.Examples,
        [atlas] = AtlasVerb.Examples,
        [report] = ReportVerb.Examples,
        [frontier] = FrontierVerb.Examples,
        [train] = TrainVerb.Examples,
        [gradients] = GradientsVerb.Examples,
        [calibrate] = CalibrateVerb.Examples,
        [kernels] = KernelsVerb.Examples,
        [doctor] = DoctorVerb.Examples,
    },
    args);
