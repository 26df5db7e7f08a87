# Estimates of lme4 and lmerTest for tests/test_mixed_formula.py, with the data that R ships.
#
#     apt-get install r-cran-lme4 r-cran-lmertest r-cran-jsonlite
#     BRAINLM_DATA=... Rscript tests/oracles/lme4.R tests/oracles/lme4.json
#
# The optimiser is bobyqa with a small final radius: the default ends up to 1e-3 from the maximum.

suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})

ucl <- function(file) {
  data <- read.delim(file.path(Sys.getenv("BRAINLM_DATA"), "ucl_subjects", "analysis", file))
  if ("prevfix" %in% names(data)) data$prevfix <- as.numeric(data$prevfix == "true")
  data[data$reject_data == "false" & data$reject_word == "false", ]
}
cake$warm <- as.numeric(as.character(cake$temperature))
data <- list(sleepstudy = sleepstudy, cake = cake, Pastes = Pastes,
             ucl_gaze = ucl("data_ET.csv"), ucl_erp = ucl("data_EEG.csv"))
models <- list(
  list("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  list("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
  list("sleepstudy", "Reaction ~ 1 + (1 | Subject)"),
  list("cake", "angle ~ recipe * C(warm) + (1 | recipe:replicate)"),
  list("cake", "angle ~ recipe + warm + (1 | replicate) + (1 | recipe:replicate)"),
  list("Pastes", "strength ~ 1 + (1 | batch / cask)"),
  list("ucl_gaze", "log(RTfirstpass) ~ nr_char + log_freq + (1 + log_freq | subj_nr) + (1 | item)"),
  list("ucl_gaze", paste("log(RTfirstpass) ~ nr_char + log_freq + prevfix +",
                         "(1 + log_freq + prevfix | subj_nr) + (1 + prevfix | item)")),
  list("ucl_gaze", paste("log(RTfirstpass) ~ nr_char + log_freq + prevfix +",
                         "(1 + log_freq || subj_nr) + (1 | sent_nr / word_pos)")),
  list("ucl_erp", "N400 ~ baseline + nr_char + log_freq + (1 + baseline | subj_nr) + (1 | item)")
)

fitted <- function(name, formula, reml) {
  model <- lmer(as.formula(gsub("C(warm)", "factor(warm)", formula, fixed = TRUE)), data[[name]],
                REML = reml, control = lmerControl(optimizer = "bobyqa", calc.derivs = FALSE,
                optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
  found <- coef(summary(model))
  message(name, ", ", formula, if (reml) ", REML")
  list(data = unbox(name), formula = unbox(formula), reml = unbox(reml), n_trials = unbox(nobs(model)),
       coefficient = unname(found[, "Estimate"]), se = unname(found[, "Std. Error"]),
       df = unname(found[, "df"]), log_likelihood = unbox(as.numeric(logLik(model))),
       residual = unbox(sigma(model)^2),
       covariances = lapply(VarCorr(model), function(each) unname(matrix(each, nrow(each)))))
}
fits <- list()
for (model in models) for (reml in c(TRUE, FALSE))
  fits[[length(fits) + 1]] <- fitted(model[[1]], model[[2]], reml)

small <- list(
  sleepstudy = list(source = unbox("Belenky et al. 2003, J Sleep Res 12:1-12: ms, days, person"),
    Reaction = sleepstudy$Reaction, Days = sleepstudy$Days,
    Subject = as.character(sleepstudy$Subject)),
  cake = list(source = unbox("Cochran & Cox 1957, Experimental Designs, p. 300: degrees, degrees F"),
    angle = cake$angle, warm = cake$warm, recipe = as.character(cake$recipe),
    replicate = as.character(cake$replicate)),
  Pastes = list(source = unbox("Davies & Goldsmith 1972, Statistical Methods, table 6.5"),
    strength = Pastes$strength, batch = as.character(Pastes$batch),
    cask = as.character(Pastes$cask)))
versions <- sapply(c("lme4", "lmerTest"), function(each) as.character(packageVersion(each)))
lines <- c("{", paste0('"versions": ', toJSON(as.list(versions), auto_unbox = TRUE), ","),
           '"data": {', paste0('"', names(small), '": ', sapply(small, toJSON, digits = NA),
                               c(rep(",", length(small) - 1), "")), "},", '"fits": [',
           paste0(sapply(fits, toJSON, digits = 10), c(rep(",", length(fits) - 1), "")), "]", "}")
writeLines(lines, commandArgs(TRUE)[1])
